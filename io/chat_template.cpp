#include "io/chat_template.h"

#include <algorithm>

#include "io/http/chat_guard.h"
#include "io/jinja/ast.h"
#include "io/jinja/interpreter.h"
#include "kernels/error.h"

namespace temper {

struct ChatTemplate::Impl {
    std::string source, bos_token, eos_token;
    Clock clock = [] { return std::time(nullptr); };
    jinja::Template parsed;
    std::unique_ptr<ChatTemplate> for_tools;
};

namespace {

[[noreturn]] void refuse(const jinja::Place& place, const char* message) {
    throw_error(ExitCode::bad_data, "chat template:{}:{}: {}", place.line, place.column, message);
}

// A message's reasoning goes by three names; the template may read any of the first two. As transformers does it, the first one that is
// there fills `reasoning_content`, and `thinking` where the message has no such key.
constexpr const char* reasoning_fields[] = {"reasoning_content", "thinking", "reasoning"};

const Json* reasoning_of(const Json& message) {
    for (const char* field : reasoning_fields)
        if (const auto found = message.find(field); found != message.end() && !found->is_null()) return &*found;
    return nullptr;
}

bool has_null(const Json& message) {
    return std::any_of(message.begin(), message.end(), [](const Json& value) { return value.is_null(); });
}

// As transformers gives messages to the template: a key whose value is null is not there.
Json normalized(const Json& messages) {
    Json result = Json::array();
    for (const Json& message : messages) {
        const Json* reasoning = reasoning_of(message);
        Json kept = Json::object();
        if (reasoning) kept["thinking"] = *reasoning;
        for (const auto& [key, value] : message.items())
            if (!value.is_null()) kept[key] = value;
        if (reasoning) kept["reasoning_content"] = *reasoning;
        result.push_back(std::move(kept));
    }
    return result;
}

void check_messages(const Json& messages) {
    if (!messages.is_array()) throw_error(ExitCode::bad_data, "chat template: messages must be an array, found {}", messages.type_name());
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (!messages[i].is_object())
            throw_error(ExitCode::bad_data, "chat template: message {} must be an object, found {}", i, messages[i].type_name());
}

}  // namespace

ChatTemplate::ChatTemplate(const std::string& source, std::string bos_token, std::string eos_token) : impl_(std::make_unique<Impl>()) {
    if (const std::size_t bad = find_invalid_utf8(source); bad != std::string::npos)
        throw_error(ExitCode::bad_data, "chat template: byte {} is not valid UTF-8", bad);
    impl_->source = source;
    impl_->bos_token = std::move(bos_token);
    impl_->eos_token = std::move(eos_token);
    try {
        impl_->parsed = jinja::parse_template(source);
    } catch (const jinja::SyntaxFailure& failure) {
        refuse(failure.place, failure.what());
    }
}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

void ChatTemplate::set_clock(Clock clock) {
    if (impl_->for_tools) impl_->for_tools->set_clock(clock);
    impl_->clock = std::move(clock);
}
void ChatTemplate::set_tool_template(const std::string& source) {
    impl_->for_tools = std::make_unique<ChatTemplate>(source, impl_->bos_token, impl_->eos_token);
    impl_->for_tools->impl_->clock = impl_->clock;
}
bool ChatTemplate::has_generation_blocks() const {
    return impl_->parsed.has_generation && (!impl_->for_tools || impl_->for_tools->has_generation_blocks());
}
const std::string& ChatTemplate::source() const { return impl_->source; }

ChatTemplate::Rendered ChatTemplate::render(const Json& messages, bool add_generation_prompt, const Json& variables) const {
    if (const auto tools = variables.find("tools"); impl_->for_tools && tools != variables.end() && !tools->is_null())
        return impl_->for_tools->render(messages, add_generation_prompt, variables);
    check_messages(messages);
    if (!variables.is_object()) throw_error(ExitCode::bad_data, "chat template: variables must be an object, found {}", variables.type_name());
    const bool changes = std::ranges::any_of(messages, [](const Json& message) { return reasoning_of(message) != nullptr || has_null(message); });
    const Json changed = changes ? normalized(messages) : Json();

    jinja::Interpreter::Variables names;
    const jinja::Template& parsed = impl_->parsed;
    names.emplace_back("messages", jinja::Value::json(changes ? changed : messages));
    names.emplace_back("tools", jinja::Value::none());
    names.emplace_back("documents", jinja::Value::none());
    names.emplace_back("add_generation_prompt", jinja::Value::of(add_generation_prompt));
    // A tokenizer without such a token leaves its name undefined.
    if (!impl_->bos_token.empty()) names.emplace_back("bos_token", jinja::Value::text(impl_->bos_token));
    if (!impl_->eos_token.empty()) names.emplace_back("eos_token", jinja::Value::text(impl_->eos_token));
    const auto own = static_cast<std::ptrdiff_t>(names.size());
    const auto put = [&](const std::string& name, jinja::Value value) {  // the variables' names differ from each other: no object has one twice
        const auto end = names.begin() + own;
        const auto known = std::find_if(names.begin(), end, [&](const auto& entry) { return entry.first == name; });
        if (known != end) known->second = std::move(value);
        else names.emplace_back(name, std::move(value));
    };
    for (const auto& [name, value] : variables.items()) {
        if (name == "messages" || name == "add_generation_prompt")
            throw_error(ExitCode::bad_data, "chat template: '{}' can not be given as a variable, it is an argument of its own", name);
        try {
            put(name, jinja::Value::json(value));
        } catch (const jinja::Failure& failure) {
            throw_error(ExitCode::bad_data, "chat template: variable '{}': {}", name, failure.what());
        }
    }

    jinja::Interpreter interpreter(parsed, names, impl_->clock);
    try {
        Rendered rendered;
        rendered.text = interpreter.run();
        rendered.generated = interpreter.generated();
        return rendered;
    } catch (const jinja::Failure& failure) {
        refuse(interpreter.failed_at(), failure.what());
    }
}

ChatTemplate::Rendered ChatTemplate::render_guarded(const Json& messages, bool add_generation_prompt, const Json& variables,
                                                    const std::vector<std::string>& special_tokens) const {
    const ChatGuard guard(special_tokens, messages, variables, impl_->for_tools ? impl_->source + impl_->for_tools->source() : impl_->source);
    Rendered rendered = render(guard.messages(messages), add_generation_prompt, guard.variables(variables));
    ChatGuard::Taken taken = guard.take_marks(rendered.text);
    for (auto& [begin, end] : rendered.generated) {
        begin = taken.without(begin);
        end = taken.without(end);
    }
    rendered.barriers = std::move(taken.barriers);
    return rendered;
}

Json template_variables(const Json& row, const std::string& place) {
    Json variables = Json::object();
    for (const char* name : {"tools", "documents"})
        if (row.contains(name)) variables[name] = row[name];
    // Tables of one type a column hold the list of tools as JSON text.
    if (row.contains("tools") && row["tools"].is_string()) {
        const auto& text = row["tools"].get_ref<const std::string&>();
        variables["tools"] = text.empty() ? Json() : parse_json(text, place + ": tools");
    }
    if (!row.contains("chat_template_kwargs") || row["chat_template_kwargs"].is_null()) return variables;
    const Json& more = row["chat_template_kwargs"];
    if (!more.is_object()) throw_error(ExitCode::bad_data, "{}: chat_template_kwargs: expected an object, found {}", place, more.type_name());
    variables.update(more);
    return variables;
}

}  // namespace temper
