#include "runs/report.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "runs/svg_chart.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<Json> some_metrics(int steps) {
    std::vector<Json> rows;
    for (int step = 1; step <= steps; ++step) {
        rows.push_back(
            {{"step", step}, {"loss", 2.0 / step}, {"grad_norm", 1.5}, {"learning_rate", 1e-4 * step}, {"tokens_per_second", 800.0 + step}});
        if (step % 10 == 0) rows.push_back({{"step", step}, {"eval_loss", 2.1 / step}});
    }
    return rows;
}

TEST(Report, ShowsCurvesAndFactsOnOnePage) {
    const Json record = {{"run_name", "tickets"},
                         {"run_id", "20260101T000000Z-tickets-00000000"},
                         {"status", "finished"},
                         {"config", {{"model", "m"}, {"train", {{"seed", 42}}}}},
                         {"data_report", {{"train", {{"rows", 1500}, {"truncated", 3}}}, {"eval", {{"rows", 200}}}}},
                         {"metrics", {{"loss", 0.25}}},
                         {"performance", {{"seconds", 125.0}, {"peak_memory_bytes", 1500000000}}}};
    const std::string html = render_report(record, some_metrics(100), Json{{"results", {{"json_exact", {{"score", 0.91}}}}}});
    for (const char* part : {"tickets", "pill finished", ">Loss<", "Gradient norm", "Learning rate", "Tokens a second", "evaluation", "2 min 05 s",
                             "1.50 GB", "train.seed", "truncated", "json_exact", "0.91"}) {
        EXPECT_TRUE(holds(html, part)) << part;
    }
    // Nothing is fetched from elsewhere.
    for (const char* part : {"http:", "https:", "//", "src=", "url(", "<script", "@import", "<link"}) EXPECT_FALSE(holds(html, part)) << part;
}

TEST(Report, EscapesWhatCameFromFiles) {
    const std::string evil = "<script>alert('x')</script>\"&";
    const Json record = {{"run_name", evil},
                         {"status", evil},
                         {"message", evil},
                         {"command", {evil}},
                         {"config", {{evil, evil}}},
                         {"tags", {{evil, evil}}},
                         {"data", {{{"role", evil}, {"path", evil}}}}};
    const std::string html = render_report(record, {}, Json{{"results", {{evil, {{evil, evil}}}}}});
    EXPECT_FALSE(holds(html, "<script"));
    EXPECT_FALSE(holds(html, "alert('"));
    EXPECT_TRUE(holds(html, "&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST(Report, TakesWhateverIsThere) {
    EXPECT_TRUE(holds(render_report(Json(), {}, Json()), "<main>"));
    EXPECT_TRUE(holds(render_report(Json::array(), {Json(1), Json::object(), {{"step", "x"}}, {{"step", 1}, {"loss", "x"}}}, Json("x")), "<main>"));
    const std::string html =
        render_report({{"status", 3}, {"metrics", 4}, {"data", {1, 2}}, {"data_report", {{"rows", 7}}}}, some_metrics(1), Json());
    EXPECT_TRUE(holds(html, "<circle"));  // a single step is a dot
}

TEST(Report, IsWrittenFromARunsDirectory) {
    TemporaryDirectory temporary;
    write_durable(temporary.path() / "run.json", R"({"run_name": "tickets"})");
    write_report(temporary.path());
    std::ofstream(temporary.path() / "metrics.jsonl") << "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"loss\":1}\n{\"st";
    write_report(temporary.path());
    EXPECT_TRUE(holds(read_file(temporary.path() / "report.html"), ">Loss<"));
}

TEST(LineChart, KeepsSpikesAndBreaksAtGaps) {
    ChartSeries spike{"y", {}, false, false};
    for (int i = 0; i < 100000; ++i) spike.points.push_back({double(i), i == 54321 ? 50.0 : 1.0});
    const std::string svg = line_chart("t", "step", {spike});
    EXPECT_LT(svg.size(), 60000u);
    EXPECT_TRUE(holds(svg, " 10.0L"));  // the top of the plot: 50 is drawn
    const std::string gap = line_chart("t", "step", {{"y", {{1, 1}, {2, NAN}, {3, 2}}, false, false}});
    const std::size_t path = gap.find("<path");
    const std::string data = gap.substr(path, gap.find("/>", path) - path);
    EXPECT_EQ(std::count(data.begin(), data.end(), 'M'), 2) << data;
    EXPECT_EQ(line_chart("t", "step", {{"y", {{1, NAN}}, false, false}}), "");
    EXPECT_TRUE(holds(line_chart("t", "step", {{"y", {{1, 0}, {2, 0}}, false, false}}), "<path"));
}

TEST(CompactNumber, KeepsFourDigits) {
    EXPECT_EQ(compact_number(0), "0");
    EXPECT_EQ(compact_number(0.00001), "1e-5");
    EXPECT_EQ(compact_number(-0.00015), "-1.5e-4");
    EXPECT_EQ(compact_number(0.012345), "0.01235");
    EXPECT_EQ(compact_number(1234), "1234");
    EXPECT_EQ(compact_number(12345), "12.35k");
    EXPECT_EQ(compact_number(-2500000), "-2.5M");
    EXPECT_EQ(compact_number(NAN), "not finite");
}

}  // namespace
}  // namespace temper
