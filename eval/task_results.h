// Scores of tasks and groups in the shape of lm-evaluation-harness's results.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "eval/task_config.h"
#include "eval/task_metrics.h"

namespace temper {

// Values of a metric under a filter, in the order of the documents.
struct ScoredMetric {
    std::string metric, filter;
    std::vector<MetricValue> values;
};

struct ScoredTask {
    const TaskConfig* config = nullptr;
    std::vector<ScoredMetric> metrics;
    std::int64_t all_docs = 0, docs = 0, cut_docs = 0, docs_without_right = 0;
};

// {"results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples"}; n-samples also count documents whose
// prompts were cut ("cut_prompts") or that have no right choice ("without_right_choice"), where there are such. A group's value is the mean of its
// tasks', weighted by their documents or not; its error follows.
Json task_results(const std::vector<ScoredTask>& tasks, const std::vector<TaskGroup>& groups, std::int64_t bootstrap_iters, int threads = 0);

}  // namespace temper
