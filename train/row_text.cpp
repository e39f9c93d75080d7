#include "train/row_text.h"

#include <algorithm>
#include <limits>

#include "kernels/error.h"

namespace temper {

RowText::RowText(const Tokenizer& tokenizer, std::string model, std::string chat_template)
    : tokenizer_(tokenizer), model_(std::move(model)), given_template_(std::move(chat_template)) {}

const std::string& RowText::template_source() const {
    if (!given_template_.empty() || !tokenizer_.chat_template()) return given_template_;
    return *tokenizer_.chat_template();
}

const ChatTemplate& RowText::chat_template() {
    if (template_) return *template_;
    if (template_source().empty())
        throw_error(
            ExitCode::bad_data,
            "model '{}' has no chat template: rows of messages cannot be turned into text; give one with data.chat_template (a .jinja file), or "
            "use prompt + completion texts or text rows",
            model_);
    template_.emplace(template_source(), tokenizer_.bos_token(), tokenizer_.eos_token());
    if (given_template_.empty() && tokenizer_.tool_template()) template_->set_tool_template(*tokenizer_.tool_template());
    return *template_;
}

std::string RowText::with_end(std::string text) const {
    const std::string eos = tokenizer_.eos_token();
    if (!text.ends_with(eos)) text += eos;
    return text;
}

ChatTemplate::Rendered RowText::render(const Json& messages, bool generation_prompt, const Json& row, const std::string& place) {
    const ChatTemplate& source = chat_template();
    try {
        return source.render(messages, generation_prompt, template_variables(row, place));
    } catch (const Error& error) {
        throw_error(error.code(), "{}: {}", place, error.what());
    }
}

std::vector<std::int32_t> RowText::conversation(const Json& messages, bool generation_prompt, const Json& row, const std::string& place) {
    return tokenizer_.encode(render(messages, generation_prompt, row, place).text, false);
}

void check_messages(const Json& messages, const std::string& place, const std::string& field) {
    if (!messages.is_array()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a list of messages", place, field, messages.type_name());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const Json& message = messages[i];
        if (!message.is_object() || !message.contains("role") || !message.at("role").is_string())
            throw_error(ExitCode::bad_data, "{}: {}[{}] has no 'role': expected {{\"role\": ..., \"content\": ...}}", place, field, i);
        const auto has = [&](const char* key) { return message.contains(key) && !message.at(key).is_null(); };
        if (!has("content") && !has("tool_calls")) throw_error(ExitCode::bad_data, "{}: {}[{}] has no 'content'", place, field, i);
    }
}

std::vector<std::int32_t> token_ids(const Json& row, const char* field, const std::string& place, std::int32_t lowest) {
    const Json& list = row.at(field);
    if (!list.is_array()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a list of token ids", place, field, list.type_name());
    std::vector<std::int32_t> values;
    for (const Json& value : list) {
        if (!value.is_number_integer() || value > std::numeric_limits<std::int32_t>::max() || value < lowest)
            throw_error(ExitCode::bad_data, "{}: '{}'[{}] is {}, expected a token id", place, field, values.size(), value.dump());
        values.push_back(value.get<std::int32_t>());
    }
    return values;
}

std::size_t common_prefix(const std::vector<std::int32_t>& one, const std::vector<std::int32_t>& other) {
    const auto limit = static_cast<std::ptrdiff_t>(std::min(one.size(), other.size()));
    return static_cast<std::size_t>(std::mismatch(one.begin(), one.begin() + limit, other.begin()).first - one.begin());
}

}  // namespace temper
