#include "eval/prompt_rows.h"

#include "kernels/error.h"
#include "model/model_files.h"

namespace temper {

std::string PromptEncoder::rendered(const Json& messages, const Json& row, const std::string& place) {
    if (!template_) template_.emplace(chat_template_of(tokenizer_, model_));
    try {
        return template_->render(messages, true, template_variables(row, place)).text;
    } catch (const Error& error) {
        throw_error(error.code(), "{}: {}", place, error.what());
    }
}

std::vector<std::int32_t> PromptEncoder::messages(const Json& messages, const Json& row, const std::string& place) {
    return tokenizer_.encode(rendered(messages, row, place), false);
}

std::vector<std::int32_t> PromptEncoder::text(const std::string& text) const { return tokenizer_.encode(text, true); }

std::vector<std::int32_t> PromptEncoder::row(const Json& row, const std::string& place) {
    const Json prompt = prompt_of(row, place);
    return prompt.is_string() ? text(prompt.get<std::string>()) : messages(prompt, row, place);
}

Json prompt_of(const Json& row, const std::string& place) {
    if (row.is_object() && row.contains("prompt") && (row.at("prompt").is_string() || row.at("prompt").is_array())) return row.at("prompt");
    if (row.is_object() && row.contains("messages") && row.at("messages").is_array()) {
        Json turns = row.at("messages");
        if (!turns.empty() && !turns.back().is_object())
            throw_error(ExitCode::bad_data, "{}: messages: expected objects, found {}", place, turns.back().type_name());
        if (!turns.empty() && turns.back().value("role", Json()) == "assistant") turns.erase(turns.size() - 1);
        return turns;
    }
    throw_error(ExitCode::bad_data, "{}: no prompt: expected \"prompt\" (text or messages) or \"messages\"", place);
}

std::optional<std::string> reference_of(const Json& row) {
    const auto content = [](const Json& messages) -> std::optional<std::string> {
        if (!messages.is_array() || messages.empty() || !messages.back().is_object()) return {};
        const Json& last = messages.back();
        if (last.value("role", Json()) != "assistant" || !last.contains("content") || !last.at("content").is_string()) return {};
        return last.at("content").get<std::string>();
    };
    if (row.contains("completion")) return row.at("completion").is_string() ? row.at("completion").get<std::string>() : content(row.at("completion"));
    if (row.contains("messages")) return content(row.at("messages"));
    return {};
}

}  // namespace temper
