#include "runs/run_record.h"

#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/record_log.h"
#include "runs/run_directory.h"
#include "tests/runs/json_schema.h"
#include "tests/support/temporary_directory.h"

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
    record.set_kind("sft");
    record.set_parent_run("20261122T040000Z-nightly-1a2b3c4d");
    record.set_param("beta", 0.1);
    record.begin_stage("prepare");
    record.begin_stage("train");
    record.set_usage("https://api.example.com/v1", "small", 10, 2);
    record.set_usage("https://api.example.com/v1", "small", 1000, 200);
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
    const RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h1");
    EXPECT_EQ(violations(parse_json(read_file(run.record()), "run.json")), std::vector<std::string>());
    RunRecord record = RunRecord::open(run.record());
    fill(record, run);
    record.save();
    const Json read = parse_json(read_file(run.record()), "run.json");
    EXPECT_EQ(violations(read), std::vector<std::string>());
    EXPECT_EQ(read["run_id"], run.id());
    EXPECT_EQ(read["parent_run_id"], "20261122T040000Z-nightly-1a2b3c4d");
    ASSERT_EQ(read["stages"].size(), 2u);
    EXPECT_EQ(read["stages"][1]["name"], "train");
    for (const Json& stage : read["stages"]) EXPECT_EQ(stage["status"], "finished") << stage;
    EXPECT_GE(read["stages"][1]["seconds"], 0.0);
    ASSERT_EQ(read["usage"].size(), 1u);
    EXPECT_EQ(read["usage"][0]["prompt_tokens"], 1000);
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
    const RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h1");
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

TEST(RunRecord, AStageEndsWithItsRunOrIsInterrupted) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h1");
    RunRecord killed = RunRecord::open(run.record());
    killed.begin_stage("train");
    killed.save();
    RunRecord next = RunRecord::open(run.record());  // by another process
    next.set_status(RunStatus::running);
    EXPECT_EQ(next.fields()["stages"][0]["status"], "interrupted");
    next.begin_stage("train");
    next.set_status(RunStatus::running);
    EXPECT_EQ(next.fields()["stages"][1]["status"], "running");
    next.set_status(RunStatus::failed, 74, "disk full");
    EXPECT_EQ(next.fields()["stages"][1]["status"], "failed");
    EXPECT_TRUE(next.fields()["stages"][1]["ended_at"].is_string());
    next.save();
    EXPECT_EQ(violations(parse_json(read_file(run.record()), "run.json")), std::vector<std::string>());
}

// Two writers: neither loses what the other one says.
TEST(RunRecord, KeepsWhatIsLoggedWhileItsOwnerWorks) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h1");
    RunRecord owner = RunRecord::open(run.record());
    std::thread logger([&] {
        for (int i = 0; i < 50; ++i) {
            {
                const RecordLock lock(run.path());
                append_logged(run.path(), {{"metrics", {{"m" + std::to_string(i), i}}},
                                           {"artifacts", {{{"path", "a.txt"}, {"role", "r"}, {"sha256", std::string(64, 'a')}, {"bytes", i}}}}});
            }
            RunRecord::fold_into(run.path());
        }
    });
    for (int i = 0; i < 50; ++i) {
        owner.set_metric("own", i);
        owner.save();
    }
    logger.join();
    owner.set_metrics({{"own", 49}});  // a command sets its final metrics as a whole
    owner.save();
    const Json read = parse_json(read_file(run.record()), "run.json");
    EXPECT_EQ(read["metrics"].size(), 51u);
    EXPECT_EQ(read["metrics"]["own"], 49);
    EXPECT_EQ(read["metrics"]["m49"], 49);
    ASSERT_EQ(read["artifacts"].size(), 1u);
    EXPECT_EQ(read["artifacts"][0]["bytes"], 49);
    std::ofstream(run.path() / "logged.jsonl", std::ios::app) << R"({"metrics": {"torn)";  // killed within a line
    owner.save();
    EXPECT_EQ(parse_json(read_file(run.record()), "run.json")["metrics"].size(), 51u);
}

TEST(RunRecord, ResumingClearsTheEnd) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h1");
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
        const fs::path path = temporary.path() / "run.json";
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
    fs::remove(temporary.path() / "run.json");
    EXPECT_THROW(RunRecord::open(temporary.path() / "run.json"), Error);
}

}  // namespace
}  // namespace temper
