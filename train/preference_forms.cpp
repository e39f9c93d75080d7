#include "train/preference_forms.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"

namespace temper {
namespace {

// The number of messages at the start of `messages` that come before its last answer: the trailing turns of the assistant.
std::size_t answer_begin(const Json& messages) {
    std::size_t begin = messages.size();
    while (begin > 0 && messages[begin - 1].is_object() && messages[begin - 1].value("role", Json()) == "assistant") --begin;
    return begin;
}

Json slice(const Json& list, std::size_t begin, std::size_t end) {
    Json result = Json::array();
    for (std::size_t i = begin; i < end; ++i) result.push_back(list[i]);
    return result;
}

// TRL's extract_prompt: up to the first difference, and the space before it belongs to the answers. Where one is the beginning of the other,
// its last character or message stays an answer. Python counts characters, so a border never stands within one.
std::size_t text_border(const std::string& chosen, const std::string& rejected) {
    const auto before = [&](std::size_t at) {
        do --at;
        while (at > 0 && (static_cast<unsigned char>(chosen[at]) & 0xC0) == 0x80);
        return at;
    };
    const std::size_t limit = std::min(chosen.size(), rejected.size());
    std::size_t border = 0;
    while (border < limit && chosen[border] == rejected[border]) ++border;
    if (border == limit) return limit == 0 ? 0 : before(limit);
    while (border > 0 && (static_cast<unsigned char>(chosen[border]) & 0xC0) == 0x80) --border;
    return border > 0 && chosen[border - 1] == ' ' ? border - 1 : border;
}

std::size_t message_border(const Json& chosen, const Json& rejected) {
    const std::size_t limit = std::min(chosen.size(), rejected.size());
    std::size_t border = 0;
    // Unordered: the order of a message's fields does not count.
    while (border < limit && nlohmann::json(chosen[border]) == nlohmann::json(rejected[border])) ++border;
    return border == limit && limit > 0 ? limit - 1 : border;
}

void extract_prompt(Json& row, const std::string& place) {
    const Json chosen = row.at("chosen"), rejected = row.at("rejected");
    if (chosen.is_string()) {
        const auto& one = chosen.get_ref<const std::string&>();
        const auto& other = rejected.get_ref<const std::string&>();
        const std::size_t border = text_border(one, other);
        row["prompt"] = one.substr(0, border);
        row["chosen"] = one.substr(border);
        row["rejected"] = other.substr(border);
        return;
    }
    const std::size_t border = message_border(chosen, rejected);
    if (border == 0)
        throw_error(ExitCode::bad_data,
                    "{}: there is no prompt, and the conversations chosen and rejected do not begin with the same message: expected a field prompt, "
                    "or the prompt in both",
                    place);
    row["prompt"] = slice(chosen, 0, border);
    row["chosen"] = slice(chosen, border, chosen.size());
    row["rejected"] = slice(rejected, border, rejected.size());
}

class Former {
  public:
    Former(Json row, std::string format, RowKind kind, bool has_template, const std::string& place)
        : row_(std::move(row)), format_(std::move(format)), kind_(kind), has_template_(has_template), place_(place) {}

    FormedRow form() {
        if (!row_.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place_, row_.type_name());
        if (format_ == "text") throw_error(ExitCode::bad_data, "{}: format text has no prompt and answers: set another format, or auto", place_);
        find_answers();
        keep_only_these();
        if (tokens_) {
            need_fields(row_, "tokens", {"prompt_ids"}, place_);
            return named("tokens");
        }
        from_value_ = convert_speakers(row_, {"prompt", "completion", "messages", "conversations", "chosen", "rejected"}, place_);
        for (const char* answer : answers())
            if (row_.contains(answer) && row_[answer].is_object()) row_[answer] = Json::array({Json(row_[answer])});
        find_prompt();
        make_alike();
        return named(row_.at("prompt").is_string() ? "texts" : "messages");
    }

  private:
    std::vector<const char*> answers() const {
        return paired_ ? std::vector<const char*>{"chosen", "rejected"} : std::vector<const char*>{"completion"};
    }

    void find_answers() {
        const bool want_tokens = format_ == "tokens" || format_ == "auto", want_others = format_ != "tokens";
        const auto both = [&](const char* one, const char* other) { return has_field(row_, one) && has_field(row_, other); };
        if (want_tokens && both("chosen_ids", "rejected_ids")) tokens_ = paired_ = true;
        else if (want_tokens && both("completion_ids", "label")) tokens_ = true;
        else if (want_others && both("chosen", "rejected")) paired_ = true;
        else if (!want_others || !has_label()) fail_unknown();
        if (!paired_ && kind_ == RowKind::pairs)
            throw_error(ExitCode::bad_data, "{}: found one answer with a label, which only kto learns from: expected chosen and rejected", place_);
    }

    // What is read next is what was recognised.
    void keep_only_these() {
        for (const char* other : {"chosen_ids", "rejected_ids"})
            if (!tokens_ || !paired_) row_.erase(other);
        for (const char* other : {"chosen", "rejected"})
            if (tokens_ || !paired_) row_.erase(other);
        if (!tokens_) row_.erase("prompt_ids");
        if (!tokens_ || paired_) row_.erase("completion_ids");
        if (tokens_ || paired_) row_.erase("completion");
        if (paired_) row_.erase("label");
    }

    // A conversation with a label is prompt and completion in one.
    bool has_label() const {
        if (!has_field(row_, "label")) return false;
        return has_field(row_, "completion") || has_field(row_, "messages") || has_field(row_, "conversations") || has_field(row_, "output");
    }

    [[noreturn]] void fail_unknown() const {
        throw_error(ExitCode::bad_data,
                    "{}: no known kind of preference row: expected prompt + chosen + rejected, chosen + rejected, or prompt_ids + chosen_ids + "
                    "rejected_ids{}; found fields {}; columns can give them our names",
                    place_, kind_ == RowKind::unpaired ? ", or for kto prompt + completion + label" : "", field_names(row_));
    }

    void find_prompt() {
        const auto is = [&](const char* format, const char* field) {
            if (format_ == format) need_fields(row_, format_, {field}, place_);
            return format_ == format || (format_ == "auto" && has_field(row_, field));
        };
        if (is("prompt_completion", "prompt")) {
            if (row_["prompt"].is_string() && has_whole_conversations()) implicit();
        } else if (is("messages", "messages") || is("sharegpt", "conversations")) {
            take_conversation(format_ == "sharegpt" || (format_ == "auto" && !has_field(row_, "messages")) ? "conversations" : "messages");
        } else if (is("alpaca", "instruction") || is("alpaca_chat", "instruction")) {
            row_["prompt"] = alpaca_prompt(row_, format_ == "alpaca_chat" || (format_ == "auto" && has_template_), place_);
            if (!paired_ && !has_field(row_, "completion") && has_field(row_, "output")) row_["completion"] = Json(row_["output"]);
            note_ = ", Alpaca";
        } else {
            implicit();
        }
        put_system_first(row_, row_["prompt"], place_);
    }

    // A text beside conversations that hold the prompt themselves, as TRL's maybe_extract_prompt has it.
    bool has_whole_conversations() const {
        if (!paired_) return false;
        const auto begins_with_prompt = [&](const char* answer) {
            const Json& messages = row_.at(answer);
            return messages.is_array() && messages.size() > 1 && messages[0].is_object() && messages[0].value("role", Json()) != "assistant";
        };
        return begins_with_prompt("chosen") && begins_with_prompt("rejected");
    }

    void implicit() {
        if (!paired_ && has_field(row_, "completion") && row_["completion"].is_array()) return take_conversation("completion");
        if (!paired_) throw_error(ExitCode::bad_data, "{}: the prompt is missing: expected prompt + completion + label", place_);
        const Json &chosen = row_.at("chosen"), &rejected = row_.at("rejected");
        const bool alike = (chosen.is_string() && rejected.is_string()) || (chosen.is_array() && rejected.is_array());
        if (!alike)
            throw_error(ExitCode::bad_data, "{}: 'chosen' is {} and 'rejected' is {}: expected two strings or two lists of messages", place_,
                        chosen.type_name(), rejected.type_name());
        extract_prompt(row_, place_);
        note_ = ", implicit prompt";
        const Json& prompt = row_.at("prompt");
        static const std::array<const char*, 6> names = {"question", "query", "input", "instruction", "context", "problem"};
        const bool named = std::any_of(names.begin(), names.end(), [&](const char* name) { return has_field(row_, name); });
        prompt_elsewhere_ = prompt.is_string() && (named || prompt.get_ref<const std::string&>().empty());
    }

    void take_conversation(const char* field) {
        Json messages = row_.at(field);
        if (messages.is_string() && has_answers()) messages = Json::array({message_of("user", messages.get<std::string>())});
        if (!messages.is_array()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a list of messages", place_, field, messages.type_name());
        put_system_first(row_, messages, place_);
        if (!paired_ && (field == std::string_view("completion") || !has_field(row_, "completion"))) {
            const std::size_t border = answer_begin(messages);
            if (border == 0 || border == messages.size())
                throw_error(ExitCode::bad_data, "{}: '{}': expected a prompt and the assistant's answer behind it", place_, field);
            row_["completion"] = slice(messages, border, messages.size());
            messages = slice(messages, 0, border);
        }
        row_["prompt"] = std::move(messages);
    }

    bool has_answers() const { return paired_ || has_field(row_, "completion"); }

    // Texts answer a list of messages as the assistant's turn, and messages of the assistant a text as the user's.
    void make_alike() {
        for (const char* answer : answers()) need_fields(row_, format_, {answer}, place_);
        bool any_messages = row_.at("prompt").is_array();
        for (const char* answer : answers()) any_messages = any_messages || row_.at(answer).is_array();
        for (const char* answer : answers()) {
            Json& value = row_[answer];
            if (!value.is_string() && !value.is_array())
                throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a string or a list of messages", place_, answer, value.type_name());
            if (any_messages && value.is_string()) value = Json::array({message_of("assistant", value.get<std::string>())});
        }
        Json& prompt = row_["prompt"];
        if (!prompt.is_string() && !prompt.is_array())
            throw_error(ExitCode::bad_data, "{}: 'prompt' is {}, expected a string or a list of messages", place_, prompt.type_name());
        if (any_messages && prompt.is_string()) {
            Json messages = Json::array({message_of("user", prompt.get<std::string>())});
            put_system_first(row_, messages, place_);
            prompt = std::move(messages);
        }
    }

    FormedRow named(const char* of) {
        const std::string note = from_value_ && note_.empty() ? ", ShareGPT" : note_;
        return {std::move(row_), fmt::format("{} of {}{}", paired_ ? "pairs" : "labelled answers", of, note), prompt_elsewhere_};
    }

    Json row_;
    std::string format_;
    RowKind kind_;
    bool has_template_;
    const std::string& place_;
    bool paired_ = false, tokens_ = false, from_value_ = false, prompt_elsewhere_ = false;
    std::string note_;
};

}  // namespace

FormedRow form_preference_row(Json row, const std::string& format, RowKind kind, bool has_template, const std::string& place) {
    return Former(std::move(row), format, kind, has_template, place).form();
}

}  // namespace temper
