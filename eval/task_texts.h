// A document's texts: question, answer and choices, as a task's templates or columns give them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/task_config.h"
#include "io/text_template.h"

namespace temper {

// A field of a task file: a column's name, a template, or the value itself.
class DocField {
  public:
    DocField(const Json& field, const std::vector<std::string>& columns, const std::string& place);
    bool given() const { return !field_.is_null(); }
    // The column's value, the template's text, or the value.
    Json value(const Json& doc) const;
    bool is_template() const { return template_.has_value(); }

  private:
    Json field_;
    bool column_ = false;
    std::optional<TextTemplate> template_;
};

class DocTexts {
  public:
    // Errors open with the task's file.
    DocTexts(const TaskConfig& config, const TaskTexts& texts, const std::vector<std::string>& columns);

    Json question(const Json& doc) const;  // a text, or the number of the choice that is the question (inputs differ, the answer is one)
    Json answer(const Json& doc) const;    // a text, the number of a choice, or a list of either
    std::vector<std::string> choices(const Json& doc) const;
    bool has_choices() const { return choice_.given(); }
    std::optional<std::string> prefix(const Json& doc) const;  // what the answer begins with
    const std::string& target_delimiter() const { return texts_.target_delimiter; }
    const std::string& fewshot_delimiter() const { return texts_.fewshot_delimiter; }

  private:
    TaskTexts texts_;
    std::string place_;
    DocField question_, answer_, choice_, prefix_;
};

}  // namespace temper
