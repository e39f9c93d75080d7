#include "train/row_forms.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "kernels/error.h"

namespace temper {
namespace {

// Fields that hold messages; of preferences also one message alone.
constexpr std::array<const char*, 6> message_fields = {"prompt", "completion", "messages", "conversations", "chosen", "rejected"};

// TRL renames the keys alone; the names of ShareGPT's speakers are known to no chat template, so they become the template's.
std::string role_of_speaker(const std::string& speaker, const std::string& place) {
    static const std::array<std::pair<const char*, const char*>, 15> roles = {{{"human", "user"},
                                                                               {"user", "user"},
                                                                               {"gpt", "assistant"},
                                                                               {"chatgpt", "assistant"},
                                                                               {"assistant", "assistant"},
                                                                               {"model", "assistant"},
                                                                               {"bot", "assistant"},
                                                                               {"system", "system"},
                                                                               {"developer", "developer"},
                                                                               {"tool", "tool"},
                                                                               {"function", "tool"},
                                                                               {"observation", "tool"},
                                                                               {"tool_response", "tool"},
                                                                               {"function_response", "tool"},
                                                                               {"ipython", "ipython"}}};
    for (const auto& [name, role] : roles)
        if (speaker == name) return role;
    if (speaker == "function_call" || speaker == "tool_call")
        throw_error(ExitCode::bad_data,
                    "{}: from '{}': write the call as an assistant's message with \"tool_calls\": its form is the chat template's", place, speaker);
    throw_error(ExitCode::bad_data, "{}: from '{}' is not known: expected human, user, gpt, assistant, system, tool or function", place, speaker);
}

bool is_from_value(const Json& message) { return message.is_object() && message.contains("from") && !message.contains("role"); }

void convert_speaker(Json& message, const std::string& place) {
    if (!is_from_value(message)) return;
    Json converted = Json::object();
    for (const auto& [name, value] : message.items()) {
        if (name == "from") {
            if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: 'from' is {}, expected a string", place, value.type_name());
            converted["role"] = role_of_speaker(value.get<std::string>(), place);
        } else {
            converted[name == "value" ? "content" : name] = value;
        }
    }
    message = std::move(converted);
}

std::string text_of(const Json& row, const char* field, const std::string& place) {
    const Json& value = row.at(field);
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a string", place, field, value.type_name());
    return value.get<std::string>();
}

// A field that may be absent or null.
std::string optional_text(const Json& row, const char* field, const std::string& place) {
    return row.contains(field) && !row.at(field).is_null() ? text_of(row, field, place) : std::string();
}

// instruction, input, and what LLaMA-Factory adds: system, history of [question, answer].
struct Alpaca {
    std::string instruction, input, system;
    Json history;

    Alpaca(const Json& row, const std::string& place)
        : instruction(text_of(row, "instruction", place)),
          input(optional_text(row, "input", place)),
          system(optional_text(row, "system", place)),
          history(has_field(row, "history") ? row.at("history") : Json::array()) {
        if (!history.is_array()) throw_error(ExitCode::bad_data, "{}: 'history' is {}, expected a list", place, history.type_name());
        for (const Json& turn : history)
            if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string())
                throw_error(ExitCode::bad_data, "{}: 'history': expected pairs of texts, question and answer", place);
    }

    Json messages() const {
        Json prompt = Json::array();
        if (!system.empty()) prompt.push_back(message_of("system", system));
        for (const Json& turn : history) {
            prompt.push_back(message_of("user", turn[0].get<std::string>()));
            prompt.push_back(message_of("assistant", turn[1].get<std::string>()));
        }
        prompt.push_back(message_of("user", input.empty() ? instruction : instruction + "\n\n" + input));
        return prompt;
    }

    // Stanford's two prompts. A system text stands in place of their first sentence.
    std::string text(const std::string& place) const {
        if (!history.empty()) throw_error(ExitCode::bad_data, "{}: 'history' needs messages: set format: alpaca_chat", place);
        const std::string preamble =
            !system.empty() ? system
            : input.empty() ? "Below is an instruction that describes a task. Write a response that appropriately completes the request."
                            : "Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
                              "that appropriately completes the request.";
        const std::string context = input.empty() ? "" : "### Input:\n" + input + "\n\n";
        return preamble + "\n\n### Instruction:\n" + instruction + "\n\n" + context + "### Response:\n";
    }
};

std::string recognised(const Json& row, bool has_template, const std::string& place) {
    if (has_field(row, "input_ids")) return "tokens";
    if (has_field(row, "prompt") && has_field(row, "completion")) return "prompt_completion";
    if (has_field(row, "messages")) return "messages";
    if (has_field(row, "conversations")) return "sharegpt";
    if (has_field(row, "text")) return "text";
    if (has_field(row, "instruction") && has_field(row, "output")) return has_template ? "alpaca_chat" : "alpaca";
    throw_error(
        ExitCode::bad_data,
        "{}: no known kind of row: expected prompt + completion, messages, conversations, text, instruction + output, or input_ids; found fields {}; "
        "columns can give them our names",
        place, field_names(row));
}

// Only one form's fields stay, so that what is read next is what was recognised.
void keep_only(Json& row, const char* field) {
    for (const char* other : {"prompt", "completion", "messages", "conversations", "text"})
        if (std::string_view(other) != field) row.erase(other);
}

}  // namespace

bool has_field(const Json& row, const char* field) { return row.contains(field) && !row.at(field).is_null(); }

void need_fields(const Json& row, const std::string& format, std::initializer_list<const char*> fields, const std::string& place) {
    for (const char* field : fields)
        if (!has_field(row, field)) throw_error(ExitCode::bad_data, "{}: format {}: field '{}' is missing", place, format, field);
}

std::string field_names(const Json& row) {
    std::string fields;
    for (const auto& [name, value] : row.items()) fields += (fields.empty() ? "" : ", ") + name + (value.is_null() ? " (null)" : "");
    return fields.empty() ? "none" : fields;
}

Json message_of(const char* role, std::string content) { return Json{{"role", role}, {"content", std::move(content)}}; }

bool convert_speakers(Json& row, std::initializer_list<const char*> fields, const std::string& place) {
    bool from_value = false;
    for (const char* field : fields) {
        if (!row.contains(field)) continue;
        Json& messages = row[field];
        if (messages.is_object()) {
            from_value = from_value || is_from_value(messages);
            convert_speaker(messages, place);
        }
        if (!messages.is_array()) continue;
        from_value = from_value || (!messages.empty() && is_from_value(messages[0]));
        for (Json& message : messages) convert_speaker(message, place);
    }
    return from_value;
}

// A system text beside the messages goes in front of them, unless they begin with one.
void put_system_first(const Json& row, Json& messages, const std::string& place) {
    const std::string text = optional_text(row, "system", place);
    if (text.empty() || !messages.is_array() || messages.empty()) return;
    if (messages[0].is_object() && messages[0].contains("role") && messages[0]["role"] == "system") return;
    messages.insert(messages.begin(), message_of("system", text));
}

Json alpaca_prompt(const Json& row, bool as_messages, const std::string& place) {
    const Alpaca alpaca(row, place);
    return as_messages ? alpaca.messages() : Json(alpaca.text(place));
}

bool is_optional_column(const std::string& column) {
    static const std::array<const char*, 6> optional = {"input", "system", "history", "tools", "documents", "chat_template_kwargs"};
    return std::find(optional.begin(), optional.end(), column) != optional.end();
}

void rename_columns(const DataFile& file, Json& row, const std::string& place) {
    std::string role, content;
    Json renamed = row;
    for (const auto& [ours, theirs] : file.columns) {
        if (ours == "role" || ours == "content") {
            (ours == "role" ? role : content) = theirs;
            continue;
        }
        if (!row.contains(theirs) && is_optional_column(ours)) continue;
        if (!row.contains(theirs)) throw_error(ExitCode::bad_data, "{}: field '{}' is missing, which columns maps to '{}'", place, theirs, ours);
        renamed[ours] = row.at(theirs);
    }
    row = std::move(renamed);
    const auto rename_in = [&](Json& message) {
        if (!message.is_object()) return;
        if (!role.empty() && message.contains(role)) message["role"] = Json(message[role]);
        if (!content.empty() && message.contains(content)) message["content"] = Json(message[content]);
    };
    for (const char* field : message_fields) {
        if (!row.contains(field)) continue;
        rename_in(row[field]);
        if (row[field].is_array())
            for (Json& message : row[field]) rename_in(message);
    }
}

FormedRow form_row(Json row, const std::string& format, bool has_template, const std::string& place) {
    if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place, row.type_name());
    const std::string form = format == "auto" ? recognised(row, has_template, place) : format;
    const bool from_value = convert_speakers(row, {"prompt", "completion", "messages", "conversations"}, place);
    if (form == "tokens") {
        need_fields(row, form, {"input_ids"}, place);
        if (!has_field(row, "labels")) row.erase("labels");
        return {std::move(row), "tokens"};
    }
    row.erase("input_ids");
    if (form == "prompt_completion") {
        need_fields(row, form, {"prompt", "completion"}, place);
        put_system_first(row, row["prompt"], place);
        const char* name = row["prompt"].is_string() ? "prompt + completion" : "prompt + completion messages";
        return {std::move(row), name};
    }
    if (form == "messages" || form == "sharegpt") {
        const char* field = form == "messages" ? "messages" : "conversations";
        need_fields(row, form, {field}, place);
        if (form == "sharegpt") row["messages"] = Json(row["conversations"]);
        keep_only(row, "messages");
        put_system_first(row, row["messages"], place);
        return {std::move(row), from_value ? "ShareGPT" : form == "messages" ? "messages" : "conversations"};
    }
    if (form == "text") {
        need_fields(row, form, {"text"}, place);
        keep_only(row, "text");
        return {std::move(row), "text"};
    }
    need_fields(row, form, {"instruction", "output"}, place);
    Json prompt = alpaca_prompt(row, form == "alpaca_chat", place);
    const std::string output = text_of(row, "output", place);
    keep_only(row, "");
    row["completion"] = prompt.is_string() ? Json(output) : Json::array({message_of("assistant", output)});
    row["prompt"] = std::move(prompt);
    return {std::move(row), form == "alpaca_chat" ? "Alpaca as messages" : "Alpaca as text"};
}

}  // namespace temper
