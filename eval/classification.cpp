// Metrics of labels, as scikit-learn's: the prediction and the reference are a class each, white space at the ends aside.      [scikit-learn 1.8]
#include <algorithm>
#include <map>

#include "eval/metric_families.h"
#include "eval/python_text.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string label_of(const std::string& text) { return std::string(python_strip(text)); }

const std::string& reference_of(const TextRow& row) {
    if (row.references.size() != 1)
        throw_error(ExitCode::bad_data, "{}: {} references, expected one: the row's class", row.place, row.references.size());
    return row.references[0];
}

class Accuracy : public MeanMetric {
  public:
    std::string name() const override { return "accuracy"; }

  protected:
    double score(const TextRow& row) const override { return label_of(row.prediction) == label_of(reference_of(row)) ? 1.0 : 0.0; }
};

enum class Part { precision, recall, f1 };
enum class Average { binary, macro, micro, weighted };

// A class's counts over the rows.
struct Counts {
    double hits = 0.0, predicted = 0.0, expected = 0.0;
};

// 0 where nothing is divided by, as zero_division=0.
double part_of(Part part, const Counts& counts) {
    const double below = part == Part::precision ? counts.predicted : part == Part::recall ? counts.expected : counts.predicted + counts.expected;
    return below == 0.0 ? 0.0 : (part == Part::f1 ? 2.0 : 1.0) * counts.hits / below;
}

// Statistics: hits, predicted and expected of every class that any row has, in the order of their names.
class ClassMetric : public TextMetric {
  public:
    ClassMetric(std::string name, Part part, Average average, std::string positive)
        : name_(std::move(name)), part_(part), average_(average), positive_(std::move(positive)) {
        if (average_ == Average::binary) classes_[positive_] = 0;
    }
    std::string name() const override { return name_; }
    bool looks_ahead() const override { return true; }
    void see(const TextRow& row) override {
        if (average_ == Average::binary) return;
        for (const std::string* text : {&row.prediction, &reference_of(row)}) classes_[label_of(*text)];
    }
    void prepare() override {
        std::size_t index = 0;
        for (auto& [label, at] : classes_) at = index++;
    }
    std::size_t width() const override { return 3 * classes_.size(); }
    void statistics(const TextRow& row, double* to) const override {
        std::fill(to, to + width(), 0.0);
        const std::string found = label_of(row.prediction), expected = label_of(reference_of(row));
        if (const auto at = classes_.find(found); at != classes_.end()) {
            to[3 * at->second + 1] = 1.0;
            if (found == expected) to[3 * at->second] = 1.0;
        }
        if (const auto at = classes_.find(expected); at != classes_.end()) to[3 * at->second + 2] = 1.0;
    }
    double value(const double* sums) const override {
        Counts all;
        double sum = 0.0, classes = 0.0;
        for (std::size_t i = 0; i < classes_.size(); ++i) {
            const Counts counts{sums[3 * i], sums[3 * i + 1], sums[3 * i + 2]};
            if (counts.predicted + counts.expected == 0.0) continue;  // of another resample
            all.hits += counts.hits, all.predicted += counts.predicted, all.expected += counts.expected;
            sum += part_of(part_, counts) * (average_ == Average::weighted ? counts.expected : 1.0);
            classes += 1.0;
        }
        if (average_ == Average::macro) return classes == 0.0 ? 0.0 : sum / classes;
        if (average_ == Average::weighted) return all.expected == 0.0 ? 0.0 : sum / all.expected;
        return part_of(part_, all);  // micro, and the one class of binary
    }
    // Of one row: whether it is right.
    double row_value(const double* statistics) const override {
        for (std::size_t i = 0; i < classes_.size(); ++i)
            if (statistics[3 * i + 1] != statistics[3 * i + 2]) return 0.0;
        return 1.0;
    }

  private:
    std::string name_;
    Part part_;
    Average average_;
    std::string positive_;
    std::map<std::string, std::size_t> classes_;
};

}  // namespace

std::unique_ptr<TextMetric> make_classification(const std::string& name, const MetricOptions& options) {
    if (name == "accuracy") return std::make_unique<Accuracy>();
    const std::map<std::string, Part> parts{{"precision", Part::precision}, {"recall", Part::recall}, {"f1", Part::f1}};
    const std::map<std::string, Average> averages{
        {"binary", Average::binary}, {"macro", Average::macro}, {"micro", Average::micro}, {"weighted", Average::weighted}};
    const std::size_t at = name.find('_');
    const auto part = parts.find(name.substr(0, at));
    const auto average = at == std::string::npos ? averages.end() : averages.find(name.substr(at + 1));
    if (part == parts.end() || average == averages.end()) return nullptr;
    if (average->second == Average::binary && options.positive_label.empty())
        throw_error(ExitCode::usage, "{}: which class is the positive one? Name it as positive label (--positive-label, metric.positive_label)",
                    name);
    return std::make_unique<ClassMetric>(name, part->second, average->second, options.positive_label);
}

}  // namespace temper
