#include "eval/task_scores.h"

#include <algorithm>
#include <cmath>

#include "eval/exact_match.h"
#include "eval/python_text.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::size_t first_largest(const std::vector<double>& values) {
    return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::int64_t characters(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char byte) { return !tok::is_continuation(byte); });
}

std::vector<double> softmax(const std::vector<double>& values) {
    const double largest = *std::max_element(values.begin(), values.end());
    std::vector<double> weights;
    double sum = 0.0;
    for (const double value : values) weights.push_back(std::exp(value - largest)), sum += weights.back();
    for (double& weight : weights) weight /= sum;
    return weights;
}

void add(std::vector<DocScore>& scores, const TaskConfig& config, const std::string& metric, MetricValue value, Json shown) {
    if (config.uses_metric(metric)) scores.push_back({metric, std::move(value), std::move(shown)});
}
void add_number(std::vector<DocScore>& scores, const TaskConfig& config, const std::string& metric, double number) {
    MetricValue value;
    value.number = number;
    add(scores, config, metric, value, number);
}

// Share of the probability that true answers have.                                                          [Lin et al. 2022, TruthfulQA's MC2]
double mc2(const TaskConfig& config, const Json& doc, const std::vector<double>& sums) {
    const Json& labels = mc2_labels(config, doc);
    double all = 0.0, right = 0.0;
    for (const double sum : sums) all += std::exp(sum);
    for (std::size_t i = 0; i < sums.size() && i < labels.size(); ++i)
        if (labels[i] == 1) right += std::exp(sums[i]) / all;
    return right;
}

// What is right, where a number stands for a choice.
Json gold_of(const TaskConfig& config, const DocTexts& texts, const Json& doc) {
    Json gold = texts.answer(doc);
    if (!texts.has_choices() || !gold.is_number_integer()) return gold;
    const std::vector<std::string> choices = texts.choices(doc);
    const auto index = gold.get<std::int64_t>();
    if (index < 0 || index >= static_cast<std::int64_t>(choices.size()))
        throw_error(ExitCode::bad_data, "{}: doc_to_target: choice {} of {}", config.file.string(), index, choices.size());
    return choices[static_cast<std::size_t>(index)];
}

}  // namespace

std::vector<std::int64_t> right_choices(const DocTexts& texts, const Json& doc, const std::vector<std::string>& choices) {
    constexpr std::int64_t none = -100;
    const auto size = static_cast<std::int64_t>(choices.size());
    const Json question = texts.question(doc), gold = question.is_string() ? texts.answer(doc) : question;
    std::vector<std::int64_t> right;
    for (const Json& one : gold.is_array() ? gold : Json::array({gold})) {
        std::int64_t index = none;
        if (one.is_number_integer() && one.get<std::int64_t>() < size && one.get<std::int64_t>() >= -size) index = one.get<std::int64_t>();
        else if (one.is_string())
            if (const auto found = std::find(choices.begin(), choices.end(), one.get<std::string>()); found != choices.end())
                index = found - choices.begin();
        right.push_back(index);
    }
    if (right.empty()) right.push_back(none);
    return right;
}

const Json& mc2_labels(const TaskConfig& config, const Json& doc) {
    if (!doc.contains("mc2_targets") || !doc["mc2_targets"].contains("labels"))
        throw_error(ExitCode::bad_data, "{}: process_results mc2: a document without mc2_targets.labels", config.file.string());
    return doc["mc2_targets"]["labels"];
}

std::vector<std::string> references_of(const TaskConfig& config, const DocTexts& texts, const Json& doc) {
    const Json gold = gold_of(config, texts, doc);
    std::vector<std::string> references;
    for (const Json& one : gold.is_array() ? gold : Json::array({gold})) references.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    return references;
}

std::vector<DocScore> score_choices(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::vector<Loglikelihood>& answers) {
    const std::vector<std::string> choices = texts.choices(doc);
    std::vector<double> sums, by_character, by_byte, gained;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        sums.push_back(answers[i].sum);
        by_character.push_back(answers[i].sum / static_cast<double>(characters(choices[i])));
        by_byte.push_back(answers[i].sum / static_cast<double>(choices[i].size()));
        if (answers.size() == 2 * choices.size()) gained.push_back(answers[i].sum - answers[choices.size() + i].sum);
    }
    std::vector<DocScore> scores;
    if (config.mc2) {
        add_number(scores, config, "acc", mc2(config, doc, sums));
        return scores;
    }
    const std::vector<std::int64_t> right = right_choices(texts, doc, choices);
    const auto hit = [&](const std::vector<double>& values) {
        const auto best = static_cast<std::int64_t>(first_largest(values));
        return std::find(right.begin(), right.end(), best) != right.end() ? 1.0 : 0.0;
    };
    const auto greedy = [&](std::int64_t index) {
        return index != -100 && answers[static_cast<std::size_t>(index < 0 ? index + static_cast<std::int64_t>(choices.size()) : index)].greedy;
    };
    MetricValue classes;
    classes.gold = right[0];
    classes.predicted = static_cast<std::int64_t>(first_largest(sums));
    classes.probabilities = softmax(sums);
    const Json pair = Json::array({classes.gold, classes.predicted});
    for (const TaskMetric& metric : config.metrics) {
        if (metric.name == "acc") add_number(scores, config, metric.name, hit(sums));
        else if (metric.name == "acc_norm") add_number(scores, config, metric.name, hit(by_character));
        else if (metric.name == "acc_bytes") add_number(scores, config, metric.name, hit(by_byte));
        else if (metric.name == "acc_mutual_info") add_number(scores, config, metric.name, hit(gained));
        else if (metric.name == "exact_match") add_number(scores, config, metric.name, std::any_of(right.begin(), right.end(), greedy) ? 1.0 : 0.0);
        else if (metric.name == "f1" || metric.name == "mcc") add(scores, config, metric.name, classes, pair);
        else if (metric.name == "brier_score") add(scores, config, metric.name, classes, Json::array({classes.gold, classes.probabilities}));
    }
    return scores;
}

std::vector<DocScore> score_loglikelihood(const TaskConfig& config, const Loglikelihood& answer) {
    std::vector<DocScore> scores;
    add_number(scores, config, "perplexity", answer.sum);
    MetricValue greedy;
    greedy.number = answer.greedy ? 1.0 : 0.0;
    add(scores, config, "acc", greedy, answer.greedy ? 1 : 0);
    return scores;
}

std::vector<DocScore> score_rolling(const TaskConfig& config, const std::string& text, double loglikelihood) {
    // Parts between white space, as re.split has them: one more than there are runs of it.
    std::int64_t words = 1;
    bool in_space = false;
    for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) {
        const bool space = is_python_space(tok::decode_character(text, at));
        words += space && !in_space;
        in_space = space;
    }
    std::vector<DocScore> scores;
    for (const auto& [metric, weight] :
         {std::pair{"word_perplexity", static_cast<double>(words)}, std::pair{"byte_perplexity", static_cast<double>(text.size())},
          std::pair{"bits_per_byte", static_cast<double>(text.size())}}) {
        MetricValue value;
        value.number = loglikelihood;
        value.weight = weight;
        add(scores, config, metric, value, Json::array({loglikelihood, static_cast<std::int64_t>(weight)}));
    }
    return scores;
}

std::vector<DocScore> score_generated(const TaskConfig& config, const DocTexts& texts, const Json& doc, const std::string& answer) {
    const std::vector<std::string> references = references_of(config, texts, doc);
    std::vector<DocScore> scores;
    for (const TaskMetric& metric : config.metrics) {
        if (metric.name == "exact_match") {
            const bool equal = std::any_of(references.begin(), references.end(),
                                           [&](const std::string& reference) { return exact_match(answer, reference, metric.options); });
            add_number(scores, config, metric.name, equal ? 1.0 : 0.0);
        } else {  // bleu, chrf, chrf++
            MetricValue value;
            value.texts = {answer, references, config.task};
            add(scores, config, metric.name, value, Json::array({gold_of(config, texts, doc), answer}));
        }
    }
    return scores;
}

}  // namespace temper
