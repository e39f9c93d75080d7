#include "runs/job_record.h"

#include <chrono>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "runs/report.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

JobOptions options_in(const fs::path& folder) {
    JobOptions options;
    options.output_dir = folder / "runs";
    options.run_name = "job";
    return options;
}

std::size_t runs_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder / "runs"), fs::directory_iterator()));
}

// Ends `owner`, with an output of these bytes, while another process waits for the run.
void finish_later(RunDirectory& owner, const fs::path& output) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    RunRecord record = RunRecord::open(owner.record());
    record.add_artifact("output", output);
    record.set_status(RunStatus::finished);
    record.save();
    owner.release();
}

// Calls check with the record that a second process opens for `wanted` while the run's owner finishes, with an output of its own.
template <class Check> void open_meanwhile(const JobOptions& options, const fs::path& output, const fs::path& wanted, const Check& check) {
    write_durable(output, "rows");
    RunDirectory owner = RunDirectory::create(options.output_dir, "job", "identity");
    owner.take_ownership();
    std::thread other([&] { finish_later(owner, output); });
    JobRecord job(options, Json::object(), "identity", wanted);
    other.join();
    check(job);
}

TEST(JobRecord, WorkThatItsOwnerFinishesMeanwhileIsNotDoneAgain) {
    TemporaryDirectory temporary;
    const JobOptions options = options_in(temporary.path());
    open_meanwhile(options, temporary.path() / "output", temporary.path() / "output", [](JobRecord& job) {
        EXPECT_TRUE(job.finished_already());
        EXPECT_FALSE(job.directory().owned());
    });
    EXPECT_EQ(runs_in(temporary.path()), 1u);
}

TEST(JobRecord, WorkThatWasFinishedMeanwhileAndIsGoneIsARunOfItsOwn) {
    TemporaryDirectory temporary;
    const JobOptions options = options_in(temporary.path());
    open_meanwhile(options, temporary.path() / "output", temporary.path() / "another output", [](JobRecord& job) {
        EXPECT_FALSE(job.finished_already());
        EXPECT_FALSE(job.resumed());
        EXPECT_TRUE(job.directory().owned());
    });
    EXPECT_EQ(runs_in(temporary.path()), 2u);
}

// A report whose place is a folder cannot be written, and metrics that are a folder cannot be read.
TEST(JobRecord, AReportThatCannotBeMadeLeavesTheRunFinished) {
    TemporaryDirectory temporary;
    const JobOptions options = options_in(temporary.path());
    {
        JobRecord job(options, Json::object(), "identity", {});
        job.begin(RunEnvironment());
        fs::create_directories(job.parts());
        fs::create_directory_symlink("loop", job.directory().path() / "metrics.jsonl");
        fs::rename(job.directory().path() / "metrics.jsonl", job.directory().path() / "loop");
        fs::create_symlink("loop", job.directory().path() / "metrics.jsonl");  // every look at it is an error of the file system
        EXPECT_NO_THROW(job.finish(Json::object(), {}, true));
        EXPECT_FALSE(fs::exists(job.parts()));
    }
    EXPECT_TRUE(JobRecord(options, Json::object(), "identity", {}).finished_already());
}

}  // namespace
}  // namespace temper
