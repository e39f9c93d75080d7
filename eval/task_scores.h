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

// The numbers of the right choices; -100 stands for what is none of them.
std::vector<std::int64_t> right_choices(const DocTexts& texts, const Json& doc, const std::vector<std::string>& choices);
// Which choices are true, 1 or 0 each. bad_data where the document does not say it.
const Json& mc2_labels(const TaskConfig& config, const Json& doc);
// The texts that a generated answer is compared with.
std::vector<std::string> references_of(const TaskConfig& config, const DocTexts& texts, const Json& doc);

// Of choices: `answers` one a choice, then, for acc_mutual_info, one a choice without context.
std::vector<DocScore> score_choices(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::vector<Loglikelihood>& answers);
std::vector<DocScore> score_loglikelihood(const TaskConfig& config, const Loglikelihood& answer);
std::vector<DocScore> score_rolling(const TaskConfig& config, const std::string& text, double loglikelihood);
std::vector<DocScore> score_generated(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::string& answer);

}  // namespace temper
