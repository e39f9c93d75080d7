#include "eval/text_metric.h"

#include "eval/metric_families.h"
#include "kernels/error.h"

namespace temper {

std::vector<std::unique_ptr<TextMetric>> make_metrics(Span<const std::string> names, const MetricOptions& options) {
    std::vector<std::unique_ptr<TextMetric>> metrics;
    for (const std::string& name : names) {
        std::unique_ptr<TextMetric> metric;
        for (const auto make : {make_exact, make_rouge, make_bleu, make_chrf, make_ter, make_classification, make_of_model, make_ranking})
            if (!metric) metric = make(name, options);
        if (!metric)
            throw_error(
                ExitCode::usage,
                "unknown metric '{}': known are exact_match, json_fields, token_f1, bleu, chrf, chrf++, ter, rouge1 to rouge9, rougeL, rougeLsum, "
                "and rouge*_precision, rouge*_recall; of classes accuracy, precision_macro, recall_macro, f1_macro, and the same with binary, micro "
                "and weighted; by models semantic_similarity and perplexity; of rankings recall@k, precision@k, hit@k, mrr, map, ndcg, "
                "context_precision, each of "
                "the last four also @k",
                name);
        metrics.push_back(std::move(metric));
    }
    return metrics;
}

}  // namespace temper
