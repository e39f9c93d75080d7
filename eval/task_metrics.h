// Metrics of evaluation tasks: what each is aggregated by, and its standard error, as lm-evaluation-harness 0.4.13 computes them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/task_config.h"
#include "eval/text_metric.h"

namespace temper {

std::vector<std::string> default_metrics(OutputType type);
std::vector<std::string> all_metrics();
std::vector<std::string> metrics_of(OutputType type);                 // that it may have
std::vector<std::string> aggregations_of(const std::string& metric);  // those that fit what a document gives it
TaskMetric known_metric(const std::string& name);                     // with its default aggregation

// What one document gives a metric: a number (acc, exact_match …), a weighted one (word_perplexity …), a pair of classes (f1, mcc), a class and
// probabilities (brier_score), or texts (bleu, chrf).
struct MetricValue {
    double number = 0.0, weight = 1.0;
    std::int64_t gold = 0, predicted = 0;
    std::vector<double> probabilities;
    TextRow texts;
};

double aggregate(const std::string& aggregation, const std::vector<MetricValue>& values);
// Standard error: of means in closed form, of perplexity, median, f1, mcc, bleu, chrf by `bootstrap_iters` resamples (at most 100 for texts) that
// Python's random.Random draws as the reference does; none where there is none ("N/A").
std::optional<double> standard_error(const std::string& aggregation, const std::vector<MetricValue>& values, std::int64_t bootstrap_iters,
                                     int threads = 0);

}  // namespace temper
