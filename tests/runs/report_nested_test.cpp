#include "runs/report_nested.h"

#include <gtest/gtest.h>

#include "io/durable.h"
#include "runs/report.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

std::string id_of(const fs::path& run) { return run.filename().string(); }

class NestedRuns : public ::testing::Test {
  protected:
    fs::path stage(const std::string& name, const fs::path& parent, Json members = Json::object()) {
        members["parent_run_id"] = id_of(parent);
        return make_record(folder_.path(), name, members);
    }
    TemporaryDirectory folder_;
};

TEST_F(NestedRuns, StandBelowTheirRunWithLinksAndFigures) {
    const fs::path night = make_record(folder_.path(), "night", {{"kind", "exec"}});
    const fs::path sft = stage("train", night,
                               {{"kind", "sft"},
                                {"command", {"temper", "sft", "a.yaml"}},
                                {"metrics", {{"step", 5}, {"mean_token_accuracy", 0.75}, {"grad_norm", 1.5}, {"loss", 0.25}}},
                                {"performance", {{"wall_seconds", 187.0}}}});
    const fs::path clean = stage("clean", sft, {{"kind", "exec"}});
    RunRecord failed = RunRecord::open(clean / "run.json");
    failed.set_status(RunStatus::failed, 3, "exit code 3");
    failed.save();
    const fs::path eval =
        stage("score", night, {{"kind", "eval"}, {"metrics", {{"tickets", {{"right", 0.5}, {"right_stderr", 0.1}, {"samples", 9}}}}}});
    make_record(folder_.path(), "other", {{"kind", "sft"}});
    write_durable(sft / "report.html", "x");
    const std::vector<NestedRun> runs = nested_runs(night);
    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].directory, id_of(sft));
    EXPECT_EQ(runs[1].directory, id_of(clean));
    EXPECT_EQ(runs[1].depth, 1);
    EXPECT_EQ(runs[2].directory, id_of(eval));
    EXPECT_EQ(nested_runs(night.string() + "/").size(), 3u);
    EXPECT_TRUE(nested_runs(eval).empty());

    write_report(night);
    const std::string page = read_file(night / "report.html");
    for (const std::string& part : {"<a href=\"../" + id_of(sft) + "/report.html\">train</a>", std::string("title=\"temper sft a.yaml\">sft<"),
                                    std::string("3 min 07 s"), std::string("exit 3"), std::string(">tickets/right</span>\u00a00.5"),
                                    std::string(">loss</span>\u00a00.25 \u00b7 <span class=\"soft\">mean_token_accuracy</span>\u00a00.75")})
        EXPECT_NE(page.find(part), std::string::npos) << part;
    for (const char* part : {"right_stderr", "grad_norm", "other", "href=\"../"})  // of the others none has a page
        EXPECT_EQ(page.find(part, page.find("</a>")), std::string::npos) << part;
    EXPECT_EQ(nested_runs_html({}), "");
}

TEST_F(NestedRuns, OfOneAnotherAreShownOnce) {
    const fs::path a = make_record(folder_.path(), "a", Json::object()), b = stage("b", a);
    RunRecord record = RunRecord::open(a / "run.json");
    record.fields()["parent_run_id"] = id_of(b);
    record.save();
    EXPECT_EQ(nested_runs(a).size(), 1u);
    EXPECT_EQ(nested_runs(b).size(), 1u);
}

TEST_F(NestedRuns, BrokenRecordsAreLeftOutAndNamesAreEscaped) {
    const fs::path night = make_record(folder_.path(), "night", Json::object());
    write_durable(stage("broken", night) / "run.json", "{");
    stage("evil", night, {{"run_name", "<b>"}, {"kind", "\"><script>"}, {"metrics", {{"<i>", 1}}}});
    const std::vector<NestedRun> runs = nested_runs(night);
    ASSERT_EQ(runs.size(), 1u);
    const std::string html = nested_runs_html(runs);
    for (const char* part : {"<b>", "<script", "<i>"}) EXPECT_EQ(html.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace temper
