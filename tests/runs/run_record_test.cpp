#include "runs/run_record.h"

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/run_directory.h"
#include "tests/runs/json_schema.h"
#include "tests/runs/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::vector<std::string> violations(const Json& record) {
    const fs::path path = fs::path(TEMPER_SOURCE_DIR) / "runs/run_record.schema.json";
    std::vector<std::string> errors;
    check_schema(parse_json(read_file(path), path.string()), record, "", errors);
    return errors;
}

void fill(RunRecord& record, const RunDirectory& run) {
    record.set_command({"temper", "sft", "a.yaml"});
    record.set_config({{"model", "m"}, {"train", {{"seed", 42}}}}, "h1");
    RunEnvironment environment;
    environment.versions = {{"temper", "0.1.0"}};
    environment.isa = "avx2";
    record.set_environment(environment);
    record.set_algorithms(std::string(64, 'c'));
    record.add_data("train", "data/a.jsonl", std::string(64, 'a'), 10);
    record.add_data("train", "data/a.jsonl", std::string(64, 'b'), 11);
    record.set_data_report({{"rows", 11}});
    record.set_tag("team", "support");
    record.set_metrics({{"loss", 0.5}});
    RunPerformance performance;
    performance.seconds = 2.5;
    performance.tokens = 1000;
    performance.tokens_per_second = 400;
    performance.peak_memory_bytes = 1 << 20;
    record.set_performance(performance);
    write_durable(run.config(), "model: m\n");
    record.add_artifact("config", run.config());
    record.add_artifact("config", run.config());
    record.set_status(RunStatus::finished);
}

TEST(RunRecord, NewAndFilledRecordsKeepToTheSchema) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path, "tickets", "h1");
    EXPECT_EQ(violations(parse_json(read_file(run.record()), "run.json")), std::vector<std::string>());
    RunRecord record = RunRecord::open(run.record());
    fill(record, run);
    record.save();
    const Json read = parse_json(read_file(run.record()), "run.json");
    EXPECT_EQ(violations(read), std::vector<std::string>());
    EXPECT_EQ(read["run_id"], run.id());
    EXPECT_EQ(read["status"], "finished");
    EXPECT_EQ(read["exit_code"], 0);
    EXPECT_EQ(read["data"].size(), 1u);
    EXPECT_EQ(read["data"][0]["rows"], 11);
    ASSERT_EQ(read["artifacts"].size(), 1u);
    EXPECT_EQ(read["artifacts"][0]["path"], "config.yaml");
    EXPECT_EQ(read["artifacts"][0]["sha256"], sha256_file(run.config()));
    EXPECT_FALSE(read["performance"].contains("cost"));
    EXPECT_GT(read["environment"]["memory_bytes"], 0);
}

// The schema says no to what is wrong: one change at a time.
TEST(RunRecord, SchemaRefusesWrongRecords) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path, "tickets", "h1");
    RunRecord record = RunRecord::open(run.record());
    fill(record, run);
    const std::pair<const char*, Json> changes[] = {{"/status", "done"},   {"/run_id", "tickets"},       {"/exit_code", -1},
                                                    {"/extra", 1},         {"/command", "temper"},       {"/data/0/sha256", "abc"},
                                                    {"/data/0/rows", 1.5}, {"/environment/ranks", 0},    {"/performance/speed", 1},
                                                    {"/tags/number", 1},   {"/artifacts/0/bytes", "12"}, {"/created_at", "yesterday"}};
    for (const auto& [place, value] : changes) {
        Json changed = record.fields();
        changed[Json::json_pointer(place)] = value;
        EXPECT_EQ(violations(changed).size(), 1u) << place;
    }
    for (const auto& [name, unused] : record.fields().items()) {
        Json changed = record.fields();
        changed.erase(name);
        EXPECT_EQ(violations(changed).size(), 1u) << name;
    }
}

TEST(RunRecord, ResumingClearsTheEnd) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path, "tickets", "h1");
    RunRecord record = RunRecord::open(run.record());
    record.set_status(RunStatus::preempted, 75, "stopped by SIGUSR1");
    EXPECT_EQ(record.fields()["exit_code"], 75);
    record.set_status(RunStatus::running);
    EXPECT_TRUE(record.fields()["exit_code"].is_null());
    EXPECT_TRUE(record.fields()["finished_at"].is_null());
    EXPECT_EQ(record.status(), "running");
}

TEST(RunRecord, RefusesWhatIsNoRecord) {
    TemporaryDirectory temporary;
    const auto code_of = [&](const std::string& text) {
        const fs::path path = temporary.path / "run.json";
        write_durable(path, text);
        try {
            RunRecord::open(path);
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("run.json"), std::string::npos) << error.what();
            return error.code();
        }
        return ExitCode::done;
    };
    EXPECT_EQ(code_of("{"), ExitCode::bad_data);
    EXPECT_EQ(code_of("[]"), ExitCode::bad_data);
    EXPECT_EQ(code_of(R"({"run_id": "x", "schema_version": 2})"), ExitCode::bad_data);
    EXPECT_EQ(code_of(R"({"run_id": "x", "schema_version": 1})"), ExitCode::done);
    fs::remove(temporary.path / "run.json");
    EXPECT_THROW(RunRecord::open(temporary.path / "run.json"), Error);
}

}  // namespace
}  // namespace temper
