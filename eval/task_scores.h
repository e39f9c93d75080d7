// What a model's answers to one document are worth in a task's metrics.
#pragma once
#include <string>
#include <vector>

#include "eval/loglikelihood.h"
#include "eval/task_metrics.h"
#include "eval/task_texts.h"

namespace temper {

struct DocScore {
    std::string metric;
    MetricValue value;
    Json shown;  // as a sample's record has it
};

// Of choices: `answers` one a choice, then, for acc_mutual_info, one a choice without context.
std::vector<DocScore> score_choices(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::vector<Loglikelihood>& answers);
std::vector<DocScore> score_loglikelihood(const TaskConfig& config, const Loglikelihood& answer);
std::vector<DocScore> score_rolling(const TaskConfig& config, const std::string& text, double loglikelihood);
std::vector<DocScore> score_generated(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::string& answer);

}  // namespace temper
