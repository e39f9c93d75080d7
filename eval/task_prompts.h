// The context in front of a document's answer: description, few-shot examples, question, as one text or through a chat template.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "eval/python_random.h"
#include "eval/task_texts.h"

namespace temper {

struct PromptOptions {
    // Renders [{"role", "content"}…] to text; without a generation prompt the last message is left open. Empty: no chat template.
    std::function<std::string(const Json& messages, bool add_generation_prompt)> chat_template;
    bool multiturn = false;  // few-shot examples as turns of their own; else one message of the user
    std::string system_instruction;
    std::uint64_t fewshot_seed = 1234;
};

// Draws few-shot examples as the reference does: its state goes on from one document to the next, so that documents are asked in their order.
class FewshotSampler {
  public:
    FewshotSampler(const TaskConfig& config, std::vector<Json> pool, bool from_evaluated_split, std::uint64_t seed);
    std::vector<Json> sample(const Json& doc);

  private:
    std::string place_;
    std::vector<Json> pool_;
    std::int64_t count_;
    bool first_n_, leave_out_;
    PythonRandom random_;
};

class TaskPrompts {
  public:
    TaskPrompts(const TaskConfig& config, std::vector<std::string> columns, std::vector<Json> fewshot_pool, PromptOptions options);

    const DocTexts& texts() const { return texts_; }
    // One context, or where the question is a choice's number one a choice. To be asked for each document in order.
    std::vector<std::string> contexts(const Json& doc);

  private:
    struct Turn {
        std::string role, content, delimiter;
    };
    void add_question(std::vector<Turn>& turns, const std::string& question, const std::vector<std::string>& choices, const Json& answer,
                      const std::optional<std::string>& prefix, const std::string& target_delimiter, const std::string& fewshot_delimiter) const;
    void add_examples(std::vector<Turn>& turns, const Json& doc);
    std::string text_of(std::vector<Turn> turns, bool open_answer) const;

    const TaskConfig& config_;
    PromptOptions options_;
    DocTexts texts_, fewshot_texts_;
    DocField description_;
    FewshotSampler sampler_;
};

}  // namespace temper
