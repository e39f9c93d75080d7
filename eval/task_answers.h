// Asks the model what tasks want to know: all loglikelihoods in one go, all texts of equal sampling settings in one go.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "eval/answer_cache.h"
#include "eval/task_requests.h"
#include "io/comm/comm.h"

namespace temper {

using EvaluateProgress = std::function<void(const std::string& what, std::int64_t done, std::int64_t total)>;

struct TaskAnswers {
    std::vector<Loglikelihood> loglikelihoods;  // one a request
    std::vector<std::string> texts;             // one a context
};

struct AskSettings {
    std::int64_t batch_tokens = 4096, max_length = 2048;
    std::vector<std::int32_t> end_ids;
};

// One entry a task, on every rank the same. requeue where a signal asks to stop: what is answered is in the cache. non_finite with task and document.
std::vector<TaskAnswers> ask(const Decoder& decoder, const Tokenizer& tokenizer, Comm& comm, const std::vector<TaskRequests>& tasks,
                             const AskSettings& settings, AnswerCache& cache, const EvaluateProgress& progress);

}  // namespace temper
