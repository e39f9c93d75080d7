#include "runs/run_list.h"

#include <fstream>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/run_directory.h"
#include "runs/run_index.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

TEST(RunList, ListsInOrderAndPassesOverWhatIsNoRun) {
    TemporaryDirectory temporary;
    std::vector<std::string> ids;
    for (const char* name : {"b", "a", "c"}) ids.push_back(RunDirectory::create(temporary.path(), name, "h").id());
    std::filesystem::create_directory(temporary.path() / "cache");
    std::filesystem::create_directory(temporary.path() / "broken");
    std::ofstream(temporary.path() / "broken" / "run.json") << "{";
    std::vector<std::string> logged;
    const std::vector<ListedRun> runs = list_runs(temporary.path(), [&](const std::string& text) { logged.push_back(text); });
    ASSERT_EQ(runs.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(runs[i].path.filename(), ids[i]);
    ASSERT_EQ(logged.size(), 1u);
    EXPECT_NE(logged[0].find("broken"), std::string::npos);
    EXPECT_THROW(list_runs(temporary.path() / "none"), Error);
}

// A record of other types than a run's stops neither a list nor an index of the others.
TEST(RunList, PassesOverRecordsOfWrongTypes) {
    TemporaryDirectory temporary;
    const std::string good = RunDirectory::create(temporary.path(), "good", "h").id();
    for (const auto& [member, value] :
         {std::pair<const char*, Json>{"status", nullptr}, {"tags", Json::array()}, {"stages", "none"}, {"run_id", 7}}) {
        const RunDirectory run = RunDirectory::create(temporary.path(), "odd", "h");
        Json record = Json::parse(read_file(run.record()));
        record[member] = value;
        std::ofstream(run.record()) << record.dump();
        std::vector<std::string> logged, indexed;
        const std::vector<ListedRun> runs = list_runs(temporary.path(), [&](const std::string& text) { logged.push_back(text); });
        ASSERT_EQ(runs.size(), 1u) << member;
        EXPECT_EQ(runs[0].path.filename(), good);
        ASSERT_EQ(logged.size(), 1u);
        EXPECT_NE(logged[0].find(std::string("run.json: ") + member + ": found "), std::string::npos) << logged[0];
        const RunIndex index = RunIndex::open(temporary.path(), [&](const std::string& text) { indexed.push_back(text); });
        EXPECT_EQ(index.select(std::nullopt, {}).size(), 1u);
        EXPECT_EQ(indexed, logged);
        std::filesystem::remove_all(run.path());
    }
}

TEST(RunList, FindsByPathIdOrPart) {
    TemporaryDirectory temporary;
    const std::string first = RunDirectory::create(temporary.path(), "tickets", "h").id();
    const std::string second = RunDirectory::create(temporary.path(), "mails", "h").id();
    EXPECT_EQ(find_run("elsewhere", (temporary.path() / first).string()).path.filename(), first);
    EXPECT_EQ(find_run(temporary.path(), second).path.filename(), second);
    EXPECT_EQ(find_run(temporary.path(), "mails").path.filename(), second);
    for (const char* name : {"Z-", "nothing", ""}) {
        try {
            find_run(temporary.path(), name);
            FAIL() << name;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::missing_input);
        }
    }
}

TEST(RunList, ARunningOneWithADeadOwnerIsInterrupted) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "tickets", "h");
    EXPECT_EQ(list_runs(temporary.path())[0].status, "running");
    run.take_ownership();
    EXPECT_EQ(list_runs(temporary.path())[0].status, "running");
    ProcessIdentity dead = ProcessIdentity::self();
    dead.start_ticks -= 1;
    ASSERT_TRUE(claim_attempt(run.path(), 2, dead));
    EXPECT_EQ(list_runs(temporary.path())[0].status, "interrupted");
}

}  // namespace
}  // namespace temper
