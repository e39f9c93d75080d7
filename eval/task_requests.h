// A task's documents with what is asked of the model about each.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "eval/loglikelihood.h"
#include "eval/request_encoder.h"
#include "eval/task_prompts.h"

namespace temper {

struct TaskDoc {
    std::int64_t id = 0;
    Json doc;
    std::vector<std::pair<std::string, std::string>> arguments;  // context and continuation; of generation the context alone, of rolling the text
    std::size_t first_request = 0, requests = 0;                 // among the task's
};

// Prompts of the first `limit` documents, and their token requests. For generation `prompts` holds the tokens of the contexts instead.
class TaskRequests {
  public:
    TaskRequests(const TaskConfig& config, const RequestEncoder& encoder, PromptOptions options, std::optional<std::int64_t> limit,
                 std::int64_t max_length);

    const TaskConfig& config() const { return *config_; }
    const DocTexts& texts() const { return prompts_->texts(); }
    const std::vector<TaskDoc>& docs() const { return docs_; }
    std::int64_t all_docs() const { return all_docs_; }  // of the split, without the limit
    const std::vector<LoglikelihoodRequest>& requests() const { return requests_; }
    const std::vector<std::vector<std::int32_t>>& contexts() const { return contexts_; }
    std::int64_t max_gen_toks() const { return max_gen_toks_; }
    // Documents that count, and should not go unseen.
    std::int64_t cut_docs() const { return cut_docs_; }                 // whose prompt has lost its beginning
    std::int64_t docs_without_right() const { return without_right_; }  // whose right choice is none of the choices

  private:
    void add_arguments(TaskDoc& doc, bool chat);
    void add_choices(TaskDoc& doc, const std::vector<std::string>& contexts, bool chat);
    void encode(TaskDoc& doc, const RequestEncoder& encoder, std::int64_t max_length);

    const TaskConfig* config_;
    std::unique_ptr<TaskPrompts> prompts_;
    std::vector<TaskDoc> docs_;
    std::vector<LoglikelihoodRequest> requests_;
    std::vector<std::vector<std::int32_t>> contexts_;
    std::int64_t all_docs_ = 0, max_gen_toks_ = 256, cut_docs_ = 0, without_right_ = 0;
};

}  // namespace temper
