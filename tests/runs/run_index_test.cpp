#include "runs/run_index.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// All that an index says, as one text.
std::string all_of(const RunIndex& index) {
    std::string text;
    for (const IndexedRun& run : index.select(std::nullopt, {"metrics.loss", "run_name", "config.lora.r"})) {
        text += run.dir + " " + run.status + " " + run.parent + " {" + run.summary + "}";
        for (const Json& value : run.values) text += " " + value.dump();
        text += "\n";
    }
    return text;
}

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

TEST(RunIndex, ReadsARecordOnceAndSeesEveryChange) {
    TemporaryDirectory temporary;
    const fs::path first = make_record(temporary.path(), "a", {{"metrics", {{"loss", 0.5}}}});
    make_record(temporary.path(), "b", {{"metrics", {{"loss", 0.25}}}});
    EXPECT_EQ(RunIndex::open(temporary.path()).records_read(), 2);
    EXPECT_EQ(RunIndex::open(temporary.path()).records_read(), 0);
    RunRecord record = RunRecord::open(first / "run.json");
    record.set_metric("loss", 0.75);  // as long as before
    record.save();
    const RunIndex changed = RunIndex::open(temporary.path());
    EXPECT_EQ(changed.records_read(), 1);
    EXPECT_NE(all_of(changed).find("0.75"), std::string::npos);
    EXPECT_EQ(all_of(changed).find("0.5 "), std::string::npos);
    fs::remove_all(first);
    EXPECT_EQ(lines_of(all_of(RunIndex::open(temporary.path()))), 1u);
    EXPECT_THROW(RunIndex::open(temporary.path() / "none"), Error);
}

TEST(RunIndex, LeavesAFileThatAnotherProcessWritesAsItIs) {
    TemporaryDirectory temporary;
    make_record(temporary.path(), "a", {{"metrics", {{"loss", 0.5}}}});
    EXPECT_FALSE(RunIndex::open(temporary.path()).in_memory());
    const fs::path file = temporary.path() / ".index.sqlite", journal = temporary.path() / ".index.sqlite-journal";
    struct stat before {
    }, after{};
    ASSERT_EQ(stat(file.c_str(), &before), 0);
    Database other(file, Database::Mode::read_write);
    other.execute("BEGIN EXCLUSIVE; UPDATE runs SET status = 'as the other one says'");
    ASSERT_TRUE(fs::exists(journal));
    make_record(temporary.path(), "b", {{"metrics", {{"loss", 0.25}}}});
    const RunIndex index = RunIndex::open(temporary.path(), {}, 0.05);
    EXPECT_TRUE(index.in_memory());
    EXPECT_EQ(lines_of(all_of(index)), 2u);
    EXPECT_TRUE(fs::exists(journal));
    ASSERT_EQ(stat(file.c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
    other.execute("ROLLBACK");
    EXPECT_EQ(lines_of(all_of(RunIndex::open(temporary.path()))), 2u);
}

TEST(RunIndex, AnswersAlikeHoweverItWasMade) {
    TemporaryDirectory temporary;
    for (int i = 0; i < 20; ++i) {
        const std::string parent = i % 3 == 0 ? "" : "20261122T040000Z-parent-1a2b3c4d";
        make_record(temporary.path(), "run", {{"metrics", {{"loss", i * 0.1}}}, {"parent_run_id", parent.empty() ? Json() : Json(parent)}});
        RunIndex::open(temporary.path());  // grown one by one
    }
    const std::string grown = all_of(RunIndex::open(temporary.path()));
    EXPECT_EQ(lines_of(grown), 20u);
    RunIndex::remove(temporary.path());
    const RunIndex made = RunIndex::open(temporary.path());
    EXPECT_EQ(made.records_read(), 20);
    EXPECT_EQ(all_of(made), grown);
    // Damaged, of another version, no database, cut short.
    const std::string good = read_file(temporary.path() / ".index.sqlite");
    for (const std::string& bytes : {std::string("no database at all, and longer than a header of a hundred bytes ") + std::string(100, '.'),
                                     good.substr(0, good.size() / 2), good.substr(0, 100) + std::string(good.size() - 100, '\x5a'), std::string()}) {
        std::ofstream(temporary.path() / ".index.sqlite", std::ios::binary) << bytes;
        EXPECT_EQ(all_of(RunIndex::open(temporary.path())), grown) << bytes.size();
    }
}

TEST(RunIndex, OfAPlaceThatCannotBeWritten) {
    if (geteuid() == 0) GTEST_SKIP() << "root writes everywhere";
    TemporaryDirectory temporary;
    make_record(temporary.path(), "a", {{"metrics", {{"loss", 0.5}}}});
    fs::permissions(temporary.path(), fs::perms::owner_read | fs::perms::owner_exec);
    const RunIndex without = RunIndex::open(temporary.path());
    EXPECT_TRUE(without.in_memory());
    EXPECT_EQ(lines_of(all_of(without)), 1u);
    fs::permissions(temporary.path(), fs::perms::owner_all);
}

// What root can meet, too: the index's name is taken by a directory.
TEST(RunIndex, WorksInMemoryWhereItHasNoFile) {
    TemporaryDirectory temporary;
    make_record(temporary.path(), "a", {{"metrics", {{"loss", 0.5}}}});
    fs::create_directories(temporary.path() / ".index.sqlite" / "full");
    const RunIndex index = RunIndex::open(temporary.path());
    EXPECT_TRUE(index.in_memory());
    EXPECT_EQ(lines_of(all_of(index)), 1u);
}

TEST(RunIndex, UnreadableRecordsAreLoggedOnceAndLeftOut) {
    TemporaryDirectory temporary;
    make_record(temporary.path(), "a", Json::object());
    fs::create_directory(temporary.path() / "broken");
    std::ofstream(temporary.path() / "broken" / "run.json") << "{";
    std::vector<std::string> logged;
    const auto log = [&](const std::string& text) { logged.push_back(text); };
    EXPECT_EQ(lines_of(all_of(RunIndex::open(temporary.path(), log))), 1u);
    ASSERT_EQ(logged.size(), 1u);
    EXPECT_NE(logged[0].find("broken"), std::string::npos);
    EXPECT_EQ(lines_of(all_of(RunIndex::open(temporary.path(), log))), 1u);
    EXPECT_EQ(logged.size(), 1u);
}

TEST(RunIndex, SaysWhichRunningOnesAreInterrupted) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    run.take_ownership();
    const auto found = [&](const char* text) { return RunIndex::open(temporary.path()).select(compile_run_query(text), {}).size(); };
    EXPECT_EQ(found("status = 'running'"), 1u);
    ProcessIdentity dead = ProcessIdentity::self();
    dead.start_ticks -= 1;
    ASSERT_TRUE(claim_attempt(run.path(), 2, dead));  // run.json stays as it is
    EXPECT_EQ(found("status = 'running'"), 0u);
    EXPECT_EQ(found("status = 'interrupted'"), 1u);
}

TEST(RunIndex, NewestComeFirstIntoALimit) {
    TemporaryDirectory temporary;
    for (const char* name : {"a", "b", "c"}) make_record(temporary.path(), name, Json::object());
    const std::vector<IndexedRun> runs = RunIndex::open(temporary.path()).select(std::nullopt, {"run_name"}, 2);
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].values[0], "b");
    EXPECT_EQ(runs[1].values[0], "c");
}

}  // namespace
}  // namespace temper
