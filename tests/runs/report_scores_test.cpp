// The evaluation's part of report.html: what it shows, that all of it is escaped, and that members that are missing or strange do it no harm.
#include "runs/report_scores.h"

#include <gtest/gtest.h>

namespace temper {
namespace {

Json sample(const std::string& id, const std::string& answer, double value, const std::string& fault) {
    return {{"id", id},
            {"tags", {"t<ag"}},
            {"doc", {{"prompt", Json::array({{{"role", "user"}, {"content", "What is <" + id + ">?"}}})}}},
            {"target", "right & true"},
            {"filtered_resps", Json::array({answer})},
            {"metrics", {"exact_match", "check/form", "checks_passed"}},
            {"exact_match", value},
            {"check/form", value},
            {"checks_passed", value},
            {"checks", {{"form", fault}}},
            {"judges", {{"tone", {{"reason", "<i>fine"}, {"score", 5}}}}}};
}

Json comparison() {
    const Json of_base{{"value", 0.25}, {"interval", Json::array({0.125, 0.5})}, {"rows", 2}};
    Json of_tuned = of_base;
    of_tuned["difference"] = 0.5;
    of_tuned["difference_interval"] = Json::array({0.25, 0.75});
    of_tuned["p_value"] = 0.01;
    const Json metrics{{"exact_match", {{"higher_is_better", true}, {"systems", {{"base", of_base}, {"tun<ed", of_tuned}}}}}};
    return {{"baseline", "base"},
            {"systems", {"base", "tun<ed"}},
            {"sets", {{"my set", {{"rows", 2}, {"metrics", metrics}, {"tags", {{"t<ag", {{"rows", 1}, {"metrics", metrics}}}}}}}}}};
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

TEST(ReportScores, ShowsIntervalsDifferencesWorstRowsAndAnswersSideBySide) {
    ReportSamples samples;
    samples["base"]["my set"] = {sample("a", "<script>alert(1)</script>", 1, ""), sample("b", "no", 0, "form: <broken>")};
    samples["tun<ed"]["my set"] = {sample("a", "yes", 1, ""), sample("b", "better", 1, "")};
    const std::string html = render_scores(comparison(), samples);
    EXPECT_EQ(count(html, "<script"), 0u);
    EXPECT_EQ(count(html, "tun<ed"), 0u);
    EXPECT_EQ(count(html, "t<ag"), 0u);
    EXPECT_EQ(count(html, "<i>fine"), 0u);
    EXPECT_NE(html.find("&lt;script&gt;alert(1)"), std::string::npos);
    EXPECT_NE(html.find("0.125 … 0.500"), std::string::npos);
    EXPECT_NE(html.find("class=\"better\">+0.500 (0.250 … 0.750)<br>p 0.010"), std::string::npos);
    EXPECT_NE(html.find("form: form: &lt;broken&gt;"), std::string::npos);
    EXPECT_EQ(count(html, "Worst rows"), 2u);
    // The row in which the systems differ comes first; of base the worse row.
    const std::size_t beside = html.find("Answers side by side"), worst = html.find("Worst rows: base");
    EXPECT_LT(html.find("What is &lt;b&gt;?", beside), html.find("What is &lt;a&gt;?", beside));
    EXPECT_LT(html.find("What is &lt;b&gt;?", worst), html.find("What is &lt;a&gt;?", worst));
}

TEST(ReportScores, WithoutSamplesOrWithStrangeOnesItShowsWhatThereIs) {
    EXPECT_EQ(render_scores(Json(), {}), "");
    EXPECT_EQ(render_scores(Json{{"systems", {1, 2}}, {"sets", 3}}, {}), "");
    EXPECT_NE(render_scores(comparison(), {}).find("0.250"), std::string::npos);
    Json odd = comparison();
    odd["sets"]["my set"]["metrics"]["exact_match"] = {{"systems", {{"base", {{"value", "x"}, {"interval", {1}}}}}}};
    odd["sets"]["my set"]["tags"]["t<ag"] = 7;
    odd["sets"]["other"] = Json::array();
    ReportSamples samples;
    samples["base"]["my set"] = {Json(3), Json::object(), Json{{"metrics", {"m"}}, {"filtered_resps", {{1}}}, {"checks", 2}, {"judges", {{"j", 1}}}}};
    samples["tun<ed"]["my set"] = samples["base"]["my set"];
    EXPECT_NE(render_scores(odd, samples).find("my set"), std::string::npos);
}

}  // namespace
}  // namespace temper
