// Metrics of classes against scikit-learn. TEMPER_CLASSIFICATION names a file of more cases.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "eval/row_statistics.h"
#include "eval/text_metric.h"
#include "io/durable.h"
#include "kernels/error.h"

namespace temper {
namespace {

Json golden() {
    const char* const other = std::getenv("TEMPER_CLASSIFICATION");
    const std::string file = other != nullptr ? other : std::string(TEMPER_SOURCE_DIR) + "/tests/goldens/classification.json";
    return parse_json(read_file(file), file, {std::size_t(1) << 30, 16});
}

double value_of_case(const Json& one, const std::string& name) {
    MetricOptions options;
    options.positive_label = one.at("positive").get<std::string>();
    const std::vector<std::string> names{name};
    const auto metric = std::move(make_metrics(names, options)[0]);
    std::vector<TextRow> rows;
    for (std::size_t i = 0; i < one.at("truth").size(); ++i)
        rows.push_back({" " + one.at("predicted")[i].get<std::string>() + "\n", {one.at("truth")[i].get<std::string>()}, "row"});
    for (const TextRow& row : rows) metric->see(row);
    metric->prepare();
    RowStatistics all{metric.get(), std::vector<double>(rows.size() * metric->width())};
    for (std::size_t i = 0; i < rows.size(); ++i) metric->statistics(rows[i], all.numbers.data() + i * metric->width());
    return value_of(all);
}

TEST(Classification, IsThatOfScikitLearn) {
    const Json all = golden();
    const double tolerance = all.at("tolerance").get<double>();
    EXPECT_GE(all.at("cases").size(), 60u);
    for (const Json& one : all.at("cases"))
        for (const auto& [name, expected] : one.at("values").items()) {
            const double found = value_of_case(one, name);
            EXPECT_TRUE(std::abs(found - expected.get<double>()) <= tolerance)
                << name << ": " << found << ", expected " << expected << " of " << one.dump();
        }
}

TEST(Classification, NeedsOneReferenceAndAPositiveClass) {
    const std::vector<std::string> binary{"f1_binary"}, macro{"f1_macro"};
    EXPECT_THROW(make_metrics(binary, {}), Error);
    const auto metric = std::move(make_metrics(macro, {})[0]);
    EXPECT_THROW(metric->see({"a", {"a", "b"}, "row"}), Error);
}

// A resample without a class has the value of the classes that it has, as scikit-learn would give it.
TEST(Classification, AResampleCountsItsOwnClasses) {
    const std::vector<std::string> macro{"recall_macro"};
    const auto metric = std::move(make_metrics(macro, {})[0]);
    const std::vector<TextRow> rows{{"a", {"a"}, "1"}, {"a", {"b"}, "2"}};
    for (const TextRow& row : rows) metric->see(row);
    metric->prepare();
    std::vector<double> first(metric->width()), both(metric->width());
    metric->statistics(rows[0], first.data());
    metric->statistics(rows[1], both.data());
    EXPECT_EQ(metric->value(first.data()), 1.0);
    for (std::size_t i = 0; i < both.size(); ++i) both[i] += first[i];
    EXPECT_EQ(metric->value(both.data()), 0.5);
    EXPECT_EQ(metric->row_value(first.data()), 1.0);
}

}  // namespace
}  // namespace temper
