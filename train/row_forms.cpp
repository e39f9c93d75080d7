#include "train/row_forms.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::array<const char*, 4> message_lists = {"prompt", "completion", "messages", "conversations"};

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

void convert_speakers(Json& messages, const std::string& place) {
    for (Json& message : messages) {
        if (!is_from_value(message)) continue;
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

Json message(const char* role, std::string content) { return Json{{"role", role}, {"content", std::move(content)}}; }

// instruction, input, output, and what LLaMA-Factory adds: system, history of [question, answer].
struct Alpaca {
    std::string instruction, input, output, system;
    Json history;

    Alpaca(const Json& row, const std::string& place)
        : instruction(text_of(row, "instruction", place)),
          input(optional_text(row, "input", place)),
          output(text_of(row, "output", place)),
          system(optional_text(row, "system", place)),
          history(row.contains("history") && !row.at("history").is_null() ? row.at("history") : Json::array()) {
        if (!history.is_array()) throw_error(ExitCode::bad_data, "{}: 'history' is {}, expected a list", place, history.type_name());
        for (const Json& turn : history)
            if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string())
                throw_error(ExitCode::bad_data, "{}: 'history': expected pairs of texts, question and answer", place);
    }

    void to_messages(Json& row) const {
        Json prompt = Json::array();
        if (!system.empty()) prompt.push_back(message("system", system));
        for (const Json& turn : history) {
            prompt.push_back(message("user", turn[0].get<std::string>()));
            prompt.push_back(message("assistant", turn[1].get<std::string>()));
        }
        prompt.push_back(message("user", input.empty() ? instruction : instruction + "\n\n" + input));
        row["prompt"] = std::move(prompt);
        row["completion"] = Json::array({message("assistant", output)});
    }

    // Stanford's two prompts. A system text stands in place of their first sentence.
    void to_text(Json& row, const std::string& place) const {
        if (!history.empty()) throw_error(ExitCode::bad_data, "{}: 'history' needs messages: set format: alpaca_chat", place);
        const std::string preamble =
            !system.empty() ? system
            : input.empty() ? "Below is an instruction that describes a task. Write a response that appropriately completes the request."
                            : "Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
                              "that appropriately completes the request.";
        const std::string context = input.empty() ? "" : "### Input:\n" + input + "\n\n";
        row["prompt"] = preamble + "\n\n### Instruction:\n" + instruction + "\n\n" + context + "### Response:\n";
        row["completion"] = output;
    }
};

// A system text beside the messages goes in front of them, unless they begin with one.
void put_system_first(Json& row, const std::string& place) {
    const std::string text = optional_text(row, "system", place);
    Json& messages = row["messages"];
    if (text.empty() || !messages.is_array() || messages.empty()) return;
    if (messages[0].is_object() && messages[0].contains("role") && messages[0]["role"] == "system") return;
    messages.insert(messages.begin(), message("system", text));
}

bool has(const Json& row, const char* field) { return row.contains(field) && !row.at(field).is_null(); }

std::string recognised(const Json& row, bool has_template, const std::string& place) {
    if (has(row, "input_ids")) return "tokens";
    if (has(row, "prompt") && has(row, "completion")) return "prompt_completion";
    if (has(row, "messages")) return "messages";
    if (has(row, "conversations")) return "sharegpt";
    if (has(row, "text")) return "text";
    if (has(row, "instruction") && has(row, "output")) return has_template ? "alpaca_chat" : "alpaca";
    std::string fields;
    for (const auto& [name, value] : row.items()) fields += (fields.empty() ? "" : ", ") + name;
    throw_error(
        ExitCode::bad_data,
        "{}: no known kind of row: expected prompt + completion, messages, conversations, text, instruction + output, or input_ids; found fields {}; "
        "columns can give them our names",
        place, fields.empty() ? "none" : fields);
}

void need(const Json& row, const std::string& format, std::initializer_list<const char*> fields, const std::string& place) {
    for (const char* field : fields)
        if (!has(row, field)) throw_error(ExitCode::bad_data, "{}: format {}: field '{}' is missing", place, format, field);
}

// Only one form's fields stay, so that what is read next is what was recognised.
void keep_only(Json& row, const char* field) {
    for (const char* other : {"prompt", "completion", "messages", "conversations", "text"})
        if (std::string_view(other) != field) row.erase(other);
}

}  // namespace

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
    for (const char* list : message_lists) {
        if (!row.contains(list) || !row[list].is_array()) continue;
        for (Json& message : row[list]) {
            if (!message.is_object()) continue;
            if (!role.empty() && message.contains(role)) message["role"] = Json(message[role]);
            if (!content.empty() && message.contains(content)) message["content"] = Json(message[content]);
        }
    }
}

FormedRow form_row(Json row, const std::string& format, bool has_template, const std::string& place) {
    if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place, row.type_name());
    const std::string form = format == "auto" ? recognised(row, has_template, place) : format;
    bool from_value = false;
    for (const char* list : message_lists) {
        if (!row.contains(list) || !row[list].is_array()) continue;
        from_value = from_value || (!row[list].empty() && is_from_value(row[list][0]));
        convert_speakers(row[list], place);
    }
    if (form == "tokens") {
        need(row, form, {"input_ids"}, place);
        if (!has(row, "labels")) row.erase("labels");
        return {std::move(row), "tokens"};
    }
    row.erase("input_ids");
    if (form == "prompt_completion") {
        need(row, form, {"prompt", "completion"}, place);
        const char* name = row["prompt"].is_string() ? "prompt + completion" : "prompt + completion messages";
        return {std::move(row), name};
    }
    if (form == "messages" || form == "sharegpt") {
        const char* field = form == "messages" ? "messages" : "conversations";
        need(row, form, {field}, place);
        if (form == "sharegpt") row["messages"] = Json(row["conversations"]);
        keep_only(row, "messages");
        put_system_first(row, place);
        return {std::move(row), from_value ? "ShareGPT" : form == "messages" ? "messages" : "conversations"};
    }
    if (form == "text") {
        need(row, form, {"text"}, place);
        keep_only(row, "text");
        return {std::move(row), "text"};
    }
    need(row, form, {"instruction", "output"}, place);
    const Alpaca alpaca(row, place);
    keep_only(row, "");
    if (form == "alpaca_chat") alpaca.to_messages(row);
    else alpaca.to_text(row, place);
    return {std::move(row), form == "alpaca_chat" ? "Alpaca as messages" : "Alpaca as text"};
}

}  // namespace temper
