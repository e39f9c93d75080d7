// Metrics of one text against its reference that count what is equal.
#include <algorithm>
#include <map>

#include "eval/metric_families.h"
#include "eval/python_text.h"
#include "io/jsonl.h"
#include "io/text.h"
#include "kernels/error.h"

namespace temper {
namespace {

// The best of a row's references counts.
class BestReference : public MeanMetric {
  protected:
    double score(const TextRow& row) const override {
        double best = 0.0;
        for (const std::string& reference : row.references) best = std::max(best, against(row.prediction, reference, row.place));
        return best;
    }
    virtual double against(const std::string& prediction, const std::string& reference, const std::string& place) const = 0;
};

// Equal after white space at the ends is removed.
class ExactMatch : public BestReference {
  public:
    std::string name() const override { return "exact_match"; }

  protected:
    double against(const std::string& prediction, const std::string& reference, const std::string&) const override {
        return trimmed(prediction) == trimmed(reference) ? 1.0 : 0.0;
    }
};

// Share of the reference object's fields that the prediction, parsed as JSON, holds with an equal value (3 equals 3.0; text exactly); 0 where the
// prediction is no JSON object.
class JsonFields : public BestReference {
  public:
    std::string name() const override { return "json_fields"; }

  protected:
    double against(const std::string& prediction, const std::string& reference, const std::string& place) const override {
        const Json expected = parse_json(reference, place + ": reference");
        if (!expected.is_object() || expected.empty()) throw_error(ExitCode::bad_data, "{}: the reference is no JSON object with fields", place);
        Json found;
        try {
            found = parse_json(trimmed(prediction), "prediction");
        } catch (const Error&) {
            return 0.0;  // a model's text that is no JSON is a wrong answer, not bad data
        }
        if (!found.is_object()) return 0.0;
        std::int64_t equal = 0;
        for (const auto& [name, value] : expected.items()) equal += found.contains(name) && found.at(name) == value ? 1 : 0;
        return static_cast<double>(equal) / static_cast<double>(expected.size());
    }
};

// F1 of the words, without case, ASCII punctuation and articles.                                       [Rajpurkar et al. 2016, SQuAD's evaluation]
class TokenF1 : public BestReference {
  public:
    std::string name() const override { return "token_f1"; }

  protected:
    double against(const std::string& prediction, const std::string& reference, const std::string&) const override {
        const std::vector<std::string> found = words(prediction), expected = words(reference);
        if (found.empty() || expected.empty()) return found.empty() && expected.empty() ? 1.0 : 0.0;
        std::map<std::string, std::int64_t> left;
        for (const std::string& word : expected) ++left[word];
        double common = 0.0;
        for (const std::string& word : found)
            if (const auto match = left.find(word); match != left.end() && match->second-- > 0) common += 1.0;
        return 2.0 * common / static_cast<double>(found.size() + expected.size());
    }

  private:
    static std::vector<std::string> words(const std::string& text) {
        std::string kept;
        for (const char c : python_lower(text))
            if (static_cast<unsigned char>(c) >= 0x80 || !std::ispunct(static_cast<unsigned char>(c))) kept += c;
        std::vector<std::string> words;
        for (const std::string_view word : python_split(kept))
            if (word != "a" && word != "an" && word != "the") words.emplace_back(word);
        return words;
    }
};

}  // namespace

std::unique_ptr<TextMetric> make_exact(const std::string& name, const MetricOptions&) {
    if (name == "exact_match") return std::make_unique<ExactMatch>();
    if (name == "json_fields") return std::make_unique<JsonFields>();
    return name == "token_f1" ? std::make_unique<TokenF1>() : nullptr;
}

}  // namespace temper
