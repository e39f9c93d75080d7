#include "eval/set_grades.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace temper {
namespace {

// A mean of numbers that are known already.
class KnownMean : public MeanMetric {
  public:
    explicit KnownMean(std::string name) : name_(std::move(name)) {}
    std::string name() const override { return name_; }

  protected:
    double score(const TextRow&) const override { return 0.0; }

  private:
    std::string name_;
};

Measure known_measure(const std::string& name, bool higher_is_better) {
    Measure measure;
    measure.name = name;
    measure.higher_is_better = higher_is_better;
    measure.metric = std::make_shared<KnownMean>(name);
    measure.statistics.metric = measure.metric.get();
    return measure;
}

void add_value(Measure& measure, std::size_t row, double value) {
    measure.rows.push_back(row);
    measure.statistics.numbers.insert(measure.statistics.numbers.end(), {value, 1.0});
}

std::vector<std::string> references_of(const SetRow& row) {
    const Json reference = row.fields.value("reference", Json());
    std::vector<std::string> references;
    for (const Json& one : reference.is_array() ? reference : Json::array({reference})) {
        if (!one.is_string())
            throw_error(ExitCode::bad_data, "{}: metrics compare an answer with the row's 'reference': expected a text or a list of texts, found {}",
                        row.place, reference.is_null() ? "none" : one.type_name());
        references.push_back(one.get<std::string>());
    }
    if (references.empty()) throw_error(ExitCode::bad_data, "{}: field 'reference' is an empty list", row.place);
    return references;
}

TextRow text_row(const TextMetric& metric, const SetRow& row, const std::string& answer) {
    return {answer, metric.compares() ? references_of(row) : std::vector<std::string>(), row.place, &row.fields};
}

void grade_metrics(const EvaluationSet& set, const std::vector<SetAnswer>& answers, SetGrades& grades) {
    for (std::unique_ptr<TextMetric>& metric : make_metrics(set.settings().metrics, set.settings().metric)) {
        Measure measure;
        measure.name = metric->name();
        measure.higher_is_better = metric->higher_is_better();
        std::vector<TextRow> rows;
        for (std::size_t i = 0; i < set.rows().size(); ++i) rows.push_back(text_row(*metric, set.rows()[i], answers[i].text));
        if (metric->looks_ahead()) {
            for (const TextRow& row : rows) metric->see(row);
            metric->prepare();
        }
        measure.metric = std::move(metric);
        measure.statistics.metric = measure.metric.get();
        measure.statistics.numbers.resize(set.rows().size() * measure.metric->width());
        for (std::size_t i = 0; i < set.rows().size(); ++i) {
            measure.metric->statistics(rows[i], measure.statistics.numbers.data() + i * measure.metric->width());
            measure.rows.push_back(i);
        }
        grades.measures.push_back(std::move(measure));
    }
}

void grade_checks(const EvaluationSet& set, const std::vector<SetAnswer>& answers, SetGrades& grades) {
    grades.checks.resize(answers.size());
    if (set.checks() == nullptr) return;
    std::map<std::string, Measure> measures;
    for (const std::string& name : set.checks()->names()) measures.emplace(name, known_measure("check/" + name, true));
    Measure all = known_measure("checks_passed", true);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        grades.checks[i] = set.checks()->run(answers[i].text, set.rows()[i].fields, set.rows()[i].place);
        bool good = true;
        for (const HardChecks::Result& result : grades.checks[i]) {
            good &= result.fault.empty();
            add_value(measures.at(result.check), i, result.fault.empty() ? 1.0 : 0.0);
        }
        if (!grades.checks[i].empty()) add_value(all, i, good ? 1.0 : 0.0);
    }
    for (const std::string& name : set.checks()->names()) grades.measures.push_back(std::move(measures.at(name)));
    grades.measures.push_back(std::move(all));
}

// The statistics of chosen entries, in their order.
RowStatistics chosen(const RowStatistics& statistics, const std::vector<std::size_t>& entries) {
    RowStatistics some{statistics.metric, {}};
    for (const std::size_t entry : entries) {
        const double* const row = statistics.row(static_cast<std::int64_t>(entry));
        some.numbers.insert(some.numbers.end(), row, row + statistics.metric->width());
    }
    return some;
}

double deviation(const std::vector<double>& values) {
    double mean = 0.0, squares = 0.0;
    for (const double value : values) mean += value / static_cast<double>(values.size());
    for (const double value : values) squares += (value - mean) * (value - mean);
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// p of the hypothesis that it is chance which of two systems an answer is of: how often a difference as large comes out when the systems' rows are
// swapped at random.
double randomization_p_value(const RowStatistics& ours, const RowStatistics& theirs, double difference, std::int64_t count, std::uint64_t seed,
                             int threads) {
    const TextMetric& metric = *ours.metric;
    const double least = std::abs(difference) * (1.0 - 1e-9);  // sums in another order come out a little different
    const std::vector<double> swapped = swapped_differences(
        ours.numbers, theirs.numbers, metric.width(), [&](const double* sums) { return metric.value(sums); }, count, seed, threads);
    const auto as_large = std::count_if(swapped.begin(), swapped.end(), [&](double found) { return std::abs(found) >= least; });
    return static_cast<double>(as_large + 1) / static_cast<double>(count + 1);
}

}  // namespace

std::optional<double> Measure::row_value(std::size_t row) const {
    const auto found = std::lower_bound(rows.begin(), rows.end(), row);
    if (found == rows.end() || *found != row) return std::nullopt;
    return metric->row_value(statistics.row(found - rows.begin()));
}

const Measure* SetGrades::find(const std::string& name) const {
    for (const Measure& measure : measures)
        if (measure.name == name) return &measure;
    return nullptr;
}

void check_rows(const EvaluationSet& set) {
    for (const std::unique_ptr<TextMetric>& metric : make_metrics(set.settings().metrics, set.settings().metric)) {
        std::vector<double> unused(metric->looks_ahead() ? 0 : metric->width());
        for (const SetRow& row : set.rows())
            if (metric->looks_ahead()) metric->see(text_row(*metric, row, ""));
            else metric->statistics(text_row(*metric, row, ""), unused.data());
    }
}

SetGrades grade_answers(const EvaluationSet& set, const std::vector<SetAnswer>& answers) {
    SetGrades grades;
    grade_metrics(set, answers, grades);
    grade_checks(set, answers, grades);
    grades.judges.resize(answers.size());
    return grades;
}

void add_judge_measure(SetGrades& grades, const std::string& judge, bool higher_is_better) {
    Measure measure = known_measure("judge/" + judge, higher_is_better);
    for (std::size_t i = 0; i < grades.judges.size(); ++i)
        if (const auto said = grades.judges[i].find(judge); said != grades.judges[i].end() && said->second.value)
            add_value(measure, i, *said->second.value);
    grades.measures.push_back(std::move(measure));
}

std::optional<Estimate> estimate(const Measure& measure, const KeepRow& keep, std::int64_t resamples, std::uint64_t seed, int threads) {
    std::vector<std::size_t> entries;
    for (std::size_t i = 0; i < measure.rows.size(); ++i)
        if (keep(measure.rows[i])) entries.push_back(i);
    if (entries.empty()) return std::nullopt;
    const RowStatistics some = chosen(measure.statistics, entries);
    const std::vector<double> values = resample(some, resamples, seed, threads);
    return Estimate{value_of(some), deviation(values), confidence_interval(values), static_cast<std::int64_t>(entries.size())};
}

std::optional<PairedDifference> paired_difference(const Measure& ours, const Measure& theirs, const KeepRow& keep, std::int64_t resamples,
                                                  std::uint64_t seed, int threads) {
    std::vector<std::size_t> our_entries, their_entries;
    for (std::size_t i = 0, j = 0; i < ours.rows.size(); ++i) {
        while (j < theirs.rows.size() && theirs.rows[j] < ours.rows[i]) ++j;
        if (j == theirs.rows.size() || theirs.rows[j] != ours.rows[i] || !keep(ours.rows[i])) continue;
        our_entries.push_back(i);
        their_entries.push_back(j);
    }
    if (our_entries.empty()) return std::nullopt;
    const RowStatistics our_rows = chosen(ours.statistics, our_entries), their_rows = chosen(theirs.statistics, their_entries);
    const std::vector<double> our_values = resample(our_rows, resamples, seed, threads),
                              their_values = resample(their_rows, resamples, seed, threads);
    PairedDifference paired;
    paired.difference = value_of(our_rows) - value_of(their_rows);
    // Metrics of classes count those of their own system: their rows cannot be swapped.
    paired.p_value = ours.metric->width() == theirs.metric->width() && !ours.metric->looks_ahead()
                         ? randomization_p_value(our_rows, their_rows, paired.difference, resamples, seed, threads)
                         : paired_p_value(our_values, their_values, paired.difference);
    paired.interval = difference_interval(our_values, their_values);
    paired.rows = static_cast<std::int64_t>(our_entries.size());
    return paired;
}

}  // namespace temper
