#include "train/preference_encoder.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"

namespace temper {
namespace {

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

bool is_blank(const Json& answer) {
    if (answer.is_string()) return is_blank(answer.get_ref<const std::string&>());
    return std::all_of(answer.begin(), answer.end(), [](const Json& message) {
        if (message.contains("tool_calls") && !message.at("tool_calls").empty()) return false;
        if (!message.contains("content")) return true;
        const Json& content = message.at("content");
        return content.is_string() ? is_blank(content.get_ref<const std::string&>()) : content.empty();
    });
}

PreferenceRow take_tokens(const Json& row, std::initializer_list<const char*> answers, const std::string& place) {
    PreferenceRow result;
    result.prompt = token_ids(row, "prompt_ids", place);
    for (const char* answer : answers) {
        result.answers.push_back(token_ids(row, (std::string(answer) + "_ids").c_str(), place));
        result.empty = result.empty || result.answers.back().empty();
    }
    return result;
}

}  // namespace

PreferenceRow PreferenceEncoder::encode(const Json& row, std::initializer_list<const char*> answers, const std::string& place) {
    if (row.contains("prompt_ids")) return take_tokens(row, answers, place);
    const Json& prompt = row.at("prompt");
    if (prompt.is_array()) check_messages(prompt, place, "prompt");
    PreferenceRow result;
    result.prompt = prompt.is_string() ? text_.plain(prompt.get<std::string>()) : text_.conversation(prompt, true, row, place);
    std::size_t border = result.prompt.size();
    for (const char* answer : answers) {
        result.answers.push_back(encode_whole(row, answer, place));
        border = std::min(border, common_prefix(result.prompt, result.answers.back()));
        result.empty = result.empty || is_blank(row.at(answer));
    }
    result.prompt_end_left_out = border < result.prompt.size();
    result.prompt.resize(border);
    for (std::vector<std::int32_t>& whole : result.answers) whole.erase(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(border));
    return result;
}

std::vector<std::int32_t> PreferenceEncoder::encode_whole(const Json& row, const char* answer, const std::string& place) {
    const Json& prompt = row.at("prompt");
    const Json& value = row.at(answer);
    if (prompt.is_string()) return text_.plain(prompt.get<std::string>() + text_.with_end(value.get<std::string>()));
    check_messages(value, place, answer);
    Json whole = prompt;
    for (const Json& message : value) whole.push_back(message);
    return text_.conversation(whole, false, row, place);
}

bool label_of(const Json& row, const std::string& place) {
    const Json& label = row.at("label");
    static const std::array<const char*, 3> yes = {"true", "True", "1"}, no = {"false", "False", "0"};
    const auto is = [&](bool value, const std::array<const char*, 3>& texts) {
        if (label == value || label == (value ? 1 : 0)) return true;
        return std::any_of(texts.begin(), texts.end(), [&](const char* text) { return label == text; });
    };
    if (is(true, yes)) return true;
    if (is(false, no)) return false;
    throw_error(ExitCode::bad_data, "{}: 'label' is {}, expected true or false", place, label.dump());
}

}  // namespace temper
