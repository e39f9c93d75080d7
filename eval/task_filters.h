// What turns a model's answers into what is scored: the filters of lm-evaluation-harness.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "eval/task_config.h"

namespace temper {

class AnswerFilter {
  public:
    // regex, remove_whitespace, lowercase, map, take_first, take_first_k, majority_vote, multi_choice_regex.
    // bad_data naming the task's file for another function or a pattern that does not compile.
    AnswerFilter(const TaskConfig& config, const TaskFilter& filter);
    ~AnswerFilter();
    AnswerFilter(AnswerFilter&&) noexcept;

    const std::string& name() const { return name_; }
    // The answers of one document, each `repeats` times drawn, to one.
    std::string apply(const Json& doc, std::vector<std::string> answers) const;

    struct Step;

  private:
    std::string name_, place_;
    std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace temper
