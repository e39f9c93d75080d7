// What make_metrics asks for names; null where a name is of another family.
#pragma once
#include <memory>
#include <string>

#include "eval/text_metric.h"

namespace temper {

std::unique_ptr<TextMetric> make_rouge(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_bleu(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_chrf(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_exact(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_ter(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_classification(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_of_model(const std::string& name, const MetricOptions& options);
std::unique_ptr<TextMetric> make_ranking(const std::string& name, const MetricOptions& options);

}  // namespace temper
