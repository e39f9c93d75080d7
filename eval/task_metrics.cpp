#include "eval/task_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "eval/python_random.h"
#include "io/jobs.h"
#include "io/machine.h"
#include "kernels/error.h"

namespace temper {
namespace {

// What one document gives a metric.
enum class ValueKind : std::uint8_t { number, loglikelihood, weighted, classes, probabilities, texts };

struct Known {
    const char *metric, *aggregation;
    bool higher_is_better;
    ValueKind kind;
};
constexpr Known known_metrics[] = {{"acc", "mean", true, ValueKind::number},
                                   {"acc_norm", "mean", true, ValueKind::number},
                                   {"acc_bytes", "mean", true, ValueKind::number},
                                   {"acc_mutual_info", "mean", true, ValueKind::number},
                                   {"exact_match", "mean", true, ValueKind::number},
                                   {"f1", "f1", true, ValueKind::classes},
                                   {"mcc", "matthews_corrcoef", true, ValueKind::classes},
                                   {"brier_score", "brier_score", false, ValueKind::probabilities},
                                   {"perplexity", "perplexity", false, ValueKind::loglikelihood},
                                   {"word_perplexity", "weighted_perplexity", false, ValueKind::weighted},
                                   {"byte_perplexity", "weighted_perplexity", false, ValueKind::weighted},
                                   {"bits_per_byte", "bits_per_byte", false, ValueKind::weighted},
                                   {"bleu", "bleu", true, ValueKind::texts},
                                   {"chrf", "chrf", true, ValueKind::texts},
                                   {"chrf++", "chrf++", true, ValueKind::texts}};

const Known& find_known(const std::string& name) {
    const auto found = std::find_if(std::begin(known_metrics), std::end(known_metrics), [&](const Known& known) { return name == known.metric; });
    if (found == std::end(known_metrics)) throw_error(ExitCode::internal, "no metric of the name {}", name);
    return *found;
}

using Values = std::vector<MetricValue>;
// The values a resample draws, in its order.
using Draw = std::vector<const MetricValue*>;

// Python's sum(): one after the other.
double mean(const Draw& values) {
    double sum = 0.0;
    for (const MetricValue* value : values) sum += value->number;
    return sum / static_cast<double>(values.size());
}
double weighted_mean(const Draw& values) {
    double sum = 0.0, weight = 0.0;
    for (const MetricValue* value : values) sum += value->number, weight += value->weight;
    return sum / weight;
}
double median(const Draw& values) {
    std::vector<double> numbers;
    for (const MetricValue* value : values) numbers.push_back(value->number);
    std::sort(numbers.begin(), numbers.end());
    return numbers[numbers.size() / 2];
}
double nanmean(const Draw& values) {
    double sum = 0.0, count = 0.0;
    for (const MetricValue* value : values)
        if (!std::isnan(value->number)) sum += value->number, count += 1.0;
    return count == 0.0 ? std::nan("") : sum / count;
}

// Of class 1, as sklearn's f1_score of two classes.
double f1(const Draw& values) {
    double hits = 0.0, expected = 0.0, predicted = 0.0;
    for (const MetricValue* value : values) {
        expected += value->gold == 1;
        predicted += value->predicted == 1;
        hits += value->gold == 1 && value->predicted == 1;
    }
    return expected + predicted == 0.0 ? 0.0 : 2.0 * hits / (expected + predicted);
}

// Of any number of classes.                                                                              [Gorodkin 2004, as sklearn computes it]
double matthews_corrcoef(const Draw& values) {
    std::map<std::int64_t, double> expected, predicted;
    double correct = 0.0;
    const auto n = static_cast<double>(values.size());
    for (const MetricValue* value : values) {
        expected[value->gold] += 1.0;
        predicted[value->predicted] += 1.0;
        correct += value->gold == value->predicted;
    }
    const auto product = [](const std::map<std::int64_t, double>& a, const std::map<std::int64_t, double>& b) {
        double sum = 0.0;
        for (const auto& [label, count] : a)
            if (const auto other = b.find(label); other != b.end()) sum += count * other->second;
        return sum;
    };
    const double both = correct * n - product(expected, predicted);
    const double spread = (n * n - product(expected, expected)) * (n * n - product(predicted, predicted));
    return spread == 0.0 ? 0.0 : both / std::sqrt(spread);
}

double brier_score(const Draw& values) {
    double sum = 0.0;
    for (const MetricValue* value : values)
        for (std::size_t i = 0; i < value->probabilities.size(); ++i) {
            const double error = value->probabilities[i] - (static_cast<std::int64_t>(i) == value->gold ? 1.0 : 0.0);
            sum += error * error;
        }
    return sum / static_cast<double>(values.size());
}

double perplexity(const Draw& values) { return std::exp(-mean(values)); }
double weighted_perplexity(const Draw& values) { return std::exp(-weighted_mean(values)); }
double bits_per_byte(const Draw& values) { return -weighted_mean(values) / std::numbers::ln2; }

struct Aggregation {
    const char* name;
    double (*function)(const Draw&);
    bool bootstrappable;
};
constexpr Aggregation aggregations[] = {{"mean", mean, false},
                                        {"median", median, true},
                                        {"nanmean", nanmean, true},
                                        {"perplexity", perplexity, true},
                                        {"weighted_perplexity", weighted_perplexity, false},
                                        {"bits_per_byte", bits_per_byte, false},
                                        {"f1", f1, true},
                                        {"matthews_corrcoef", matthews_corrcoef, true},
                                        {"brier_score", brier_score, false}};

const Aggregation* find_aggregation(const std::string& name) {
    const auto found = std::find_if(std::begin(aggregations), std::end(aggregations), [&](const Aggregation& known) { return name == known.name; });
    return found == std::end(aggregations) ? nullptr : found;
}

bool is_of_texts(const std::string& name) { return name == "bleu" || name == "chrf" || name == "chrf++"; }

double sample_deviation(const std::vector<double>& numbers) {
    double sum = 0.0, squares = 0.0;
    const auto n = static_cast<double>(numbers.size());
    for (const double number : numbers) sum += number;
    for (const double number : numbers) squares += (number - sum / n) * (number - sum / n);
    return std::sqrt(squares / (n - 1.0));
}

// value(indices) of `iters` resamples: chunk i of 1,000 draws with the seed i.
template <class Value> double bootstrap(std::int64_t rows, std::int64_t iters, int threads, const Value& value) {
    const std::int64_t chunk = std::min<std::int64_t>(1000, iters), chunks = iters / chunk;
    std::vector<double> replicates(static_cast<std::size_t>(chunk * chunks));
    run_jobs<std::vector<std::int64_t>>(resolve_threads(threads), chunks, [&](std::int64_t i, std::vector<std::int64_t>& indices) {
        indices.resize(static_cast<std::size_t>(rows));
        PythonRandom random(static_cast<std::uint64_t>(i));
        for (std::int64_t j = 0; j < chunk; ++j) {
            random.choices(rows, rows, indices.data());
            replicates[static_cast<std::size_t>(i * chunk + j)] = value(indices);
        }
    });
    return sample_deviation(replicates);
}

// The statistics of texts, once a row.
struct TextStatistics {
    std::unique_ptr<TextMetric> metric;
    std::vector<double> numbers;

    TextStatistics(const std::string& name, const Values& values) {
        const std::vector<std::string> names{name};
        metric = std::move(make_metrics(names, {})[0]);
        numbers.resize(values.size() * metric->width());
        for (std::size_t i = 0; i < values.size(); ++i) metric->statistics(values[i].texts, &numbers[i * metric->width()]);
    }
    double value(const std::vector<std::int64_t>& indices) const {
        std::vector<double> sums(metric->width());
        for (const std::int64_t index : indices)
            for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += numbers[static_cast<std::size_t>(index) * sums.size() + j];
        return metric->value(sums.data());
    }
};

std::vector<std::int64_t> all_rows(const Values& values) {
    std::vector<std::int64_t> indices(values.size());
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
    return indices;
}

Draw draw(const Values& values, const std::vector<std::int64_t>& indices) {
    Draw drawn;
    drawn.reserve(indices.size());
    for (const std::int64_t index : indices) drawn.push_back(&values[static_cast<std::size_t>(index)]);
    return drawn;
}

}  // namespace

std::vector<std::string> default_metrics(OutputType type) {
    switch (type) {
        case OutputType::loglikelihood: return {"perplexity", "acc"};
        case OutputType::loglikelihood_rolling: return {"word_perplexity", "byte_perplexity", "bits_per_byte"};
        case OutputType::multiple_choice: return {"acc", "acc_norm"};
        case OutputType::generate_until: break;
    }
    return {"exact_match"};
}

std::vector<std::string> all_metrics() {
    std::vector<std::string> names;
    for (const Known& known : known_metrics) names.push_back(known.metric);
    return names;
}

std::vector<std::string> metrics_of(OutputType type) {
    switch (type) {
        case OutputType::loglikelihood: return {"perplexity", "acc"};
        case OutputType::loglikelihood_rolling: return {"word_perplexity", "byte_perplexity", "bits_per_byte"};
        case OutputType::multiple_choice: return {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "f1", "mcc", "brier_score"};
        case OutputType::generate_until: break;
    }
    return {"exact_match", "bleu", "chrf", "chrf++"};
}

std::vector<std::string> aggregations_of(const std::string& metric) {
    switch (find_known(metric).kind) {
        case ValueKind::number: return {"mean", "median", "nanmean"};
        case ValueKind::loglikelihood: return {"perplexity", "mean", "median", "nanmean"};
        case ValueKind::weighted: return {"weighted_perplexity", "bits_per_byte"};
        case ValueKind::classes: return {"f1", "matthews_corrcoef"};
        case ValueKind::probabilities: return {"brier_score"};
        case ValueKind::texts: break;
    }
    return {"bleu", "chrf", "chrf++"};
}

TaskMetric known_metric(const std::string& name) {
    const Known& known = find_known(name);
    return {name, known.aggregation, known.higher_is_better, Json::object()};
}

double aggregate(const std::string& aggregation, const Values& values) {
    const std::vector<std::int64_t> rows = all_rows(values);
    if (is_of_texts(aggregation)) return TextStatistics(aggregation, values).value(rows);
    return find_aggregation(aggregation)->function(draw(values, rows));
}

std::optional<double> standard_error(const std::string& aggregation, const Values& values, std::int64_t bootstrap_iters, int threads) {
    const auto rows = static_cast<std::int64_t>(values.size());
    if (bootstrap_iters <= 0 || rows < 2) return std::nullopt;
    if (is_of_texts(aggregation)) {
        const TextStatistics statistics(aggregation, values);
        return bootstrap(rows, std::min<std::int64_t>(100, bootstrap_iters), threads,
                         [&](const std::vector<std::int64_t>& indices) { return statistics.value(indices); });
    }
    const Aggregation* const known = find_aggregation(aggregation);
    if (aggregation == "mean") {
        std::vector<double> numbers;
        for (const MetricValue& value : values) numbers.push_back(value.number);
        return sample_deviation(numbers) / std::sqrt(static_cast<double>(rows));
    }
    if (!known->bootstrappable) return std::nullopt;
    return bootstrap(rows, bootstrap_iters, threads,
                     [&](const std::vector<std::int64_t>& indices) { return known->function(draw(values, indices)); });
}

}  // namespace temper
