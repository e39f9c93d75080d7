// Runs tasks on a model: prompts, requests, answers, scores.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/task_answers.h"
#include "eval/task_config.h"
#include "eval/task_prompts.h"
#include "io/comm/comm.h"
#include "io/tokenizer/tokenizer.h"
#include "model/decoder.h"

namespace temper {

struct EvaluateOptions {
    std::optional<std::int64_t> limit;        // documents of a task
    std::optional<std::int64_t> num_fewshot;  // of tasks that do not say zero
    std::int64_t bootstrap_iters = 100000;
    std::int64_t batch_tokens = 4096;
    int threads = 0;                    // of resamples; 0: as many as the machine gives a rank
    std::int64_t max_length = 0;        // 0: the model's positions
    std::vector<std::int32_t> end_ids;  // tokens that end a text
    PromptOptions prompt;
    std::filesystem::path answers;  // a folder that keeps finished answers, so that a run that was killed goes on; empty: none
};

struct TaskSamples {
    std::string task;
    std::vector<Json> samples;  // a document and filter each, as lm-evaluation-harness logs them
};

struct Evaluation {
    Json results;  // results, groups, group_subtasks, configs, versions, n-shot, higher_is_better, n-samples: lm-evaluation-harness's schema
    std::vector<TaskSamples> samples;
    std::int64_t requests = 0;  // that were scored or generated
};

// The same on every rank; what is written is rank 0's to write. bad_data with the task's file and the document; stopped by a signal: preempted.
Evaluation evaluate(const Decoder& decoder, const Tokenizer& tokenizer, Comm& comm, TaskSet tasks, const EvaluateOptions& options,
                    const EvaluateProgress& progress);

}  // namespace temper
