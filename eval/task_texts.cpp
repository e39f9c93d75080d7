#include "eval/task_texts.h"

#include <algorithm>

#include "eval/python_literal.h"
#include "kernels/error.h"

namespace temper {
namespace {

// str.isdigit() of ASCII; a text of other digits stays text.
bool is_digits(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

// True and False are 1 and 0 wherever Python counts with them.
Json counted(const Json& value) { return value.is_boolean() ? Json(value.get<bool>() ? 1 : 0) : value; }

}  // namespace

DocField::DocField(const Json& field, const std::vector<std::string>& columns, const std::string& place) : field_(field) {
    if (!field.is_string()) return;
    const std::string text = field.get<std::string>();
    column_ = std::find(columns.begin(), columns.end(), text) != columns.end();
    if (!column_) template_.emplace(text, place);
}

Json DocField::value(const Json& doc) const {
    if (column_) return doc.at(field_.get<std::string>());
    return template_ ? Json(template_->render(doc)) : field_;
}

DocTexts::DocTexts(const TaskConfig& config, const TaskTexts& texts, const std::vector<std::string>& columns)
    : texts_(texts),
      place_(config.file.string()),
      question_(texts.doc_to_text, columns, place_ + ": doc_to_text"),
      answer_(texts.doc_to_target, columns, place_ + ": doc_to_target"),
      choice_(texts.doc_to_choice, columns, place_ + ": doc_to_choice"),
      prefix_(texts.gen_prefix, columns, place_ + ": gen_prefix") {}

Json DocTexts::question(const Json& doc) const {
    const Json value = question_.value(doc);
    if (question_.is_template() && has_choices() && is_digits(value.get<std::string>()))
        if (const std::optional<Json> number = parse_python_literal(value.get<std::string>())) return *number;
    return counted(value);
}

Json DocTexts::answer(const Json& doc) const {
    const Json value = answer_.value(doc);
    if (!answer_.is_template()) return counted(value);
    const std::string text = value.get<std::string>();
    const bool list = text.size() >= 2 && text.front() == '[' && text.back() == ']';
    if (list || (has_choices() && is_digits(text)))
        if (const std::optional<Json> literal = parse_python_literal(text)) return *literal;
    return text;
}

std::vector<std::string> DocTexts::choices(const Json& doc) const {
    Json value = choice_.value(doc);
    if (choice_.is_template()) {
        const std::string text = value.get<std::string>();
        const std::optional<Json> literal = parse_python_literal(text);
        if (!literal) throw_error(ExitCode::bad_data, "{}: doc_to_choice: expected a list as Python writes it, found {}", place_, text);
        value = *literal;
    }
    std::vector<std::string> choices;
    if (value.is_array() || value.is_object())
        for (const Json& choice : value) {
            if (!choice.is_string()) throw_error(ExitCode::bad_data, "{}: doc_to_choice: expected texts, found {}", place_, choice.dump());
            choices.push_back(choice.get<std::string>());
        }
    if (choices.empty()) throw_error(ExitCode::bad_data, "{}: doc_to_choice: expected a list of texts, found {}", place_, value.dump());
    return choices;
}

std::optional<std::string> DocTexts::prefix(const Json& doc) const {
    if (!prefix_.given()) return std::nullopt;
    const Json value = prefix_.value(doc);
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: gen_prefix: expected a text, found {}", place_, value.dump());
    return value.get<std::string>();
}

}  // namespace temper
