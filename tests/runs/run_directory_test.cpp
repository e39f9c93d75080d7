#include "runs/run_directory.h"

#include <chrono>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/run_record.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

ExitCode code_of(const std::function<void()>& function, std::string* message = nullptr) {
    try {
        function();
    } catch (const Error& error) {
        if (message) *message = error.what();
        return error.code();
    }
    return ExitCode::done;
}

// Runs `body` in a child process, which ends with its return value.
pid_t in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) {
        int code = 99;
        try {
            code = body();
        } catch (const Error& error) {
            code = static_cast<int>(error.code());
        }
        _exit(code);
    }
    return child;
}

int exit_code(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A child that owns the run until it is killed; returns once it does.
pid_t owner_process(const fs::path& path) {
    int ready[2];
    if (pipe(ready) != 0) return -1;
    const pid_t child = in_child([&] {
        RunDirectory run = RunDirectory::open(path);
        run.take_ownership();
        [[maybe_unused]] const ssize_t written = write(ready[1], "x", 1);
        for (;;) pause();
        return 0;
    });
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

// An attempt of a process on another machine.
void write_foreign_owner(const fs::path& run, int number) {
    ProcessIdentity owner = ProcessIdentity::self();
    owner.host = "elsewhere";
    owner.boot_id = "another-boot";
    owner.job = "17";
    ASSERT_TRUE(claim_attempt(run, number, owner));
    fs::create_directory(run / fmt::format(".stage-{:04}", number));
}

std::size_t files_below(const fs::path& path) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(path)) ++count;
    return count;
}

TEST(RunDirectory, IsMadeWithARecord) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path() / "deep" / "runs", "tickets", "h1");
    EXPECT_TRUE(fs::is_regular_file(run.record()));
    EXPECT_NE(run.id().find("-tickets-"), std::string::npos);
    EXPECT_EQ(files_below(temporary.path() / "deep" / "runs"), 2u);  // the directory and run.json, nothing staged is left
    EXPECT_EQ(RunDirectory::open(run.path() / "").id(), run.id());
}

TEST(RunDirectory, NamesSortByTheirBeginning) {
    const TemporaryDirectory temporary;
    std::string last;
    for (int i = 0; i < 50; ++i) {
        const std::string id = RunDirectory::create(temporary.path(), "a", "h").id();
        EXPECT_LT(last, id);
        last = id;
    }
}

TEST(RunDirectory, RefusesNamesThatAreNoNames) {
    TemporaryDirectory temporary;
    for (const char* name : {"", "a/b", "..", ".hidden", "a b", "-x", "ä"}) {
        EXPECT_EQ(code_of([&] { RunDirectory::create(temporary.path(), name, "h"); }), ExitCode::usage) << name;
    }
    EXPECT_EQ(files_below(temporary.path()), 0u);
}

TEST(RunDirectory, SaysSoWhenItCannotWriteOrFind) {
    TemporaryDirectory temporary;
    std::ofstream(temporary.path() / "file") << "x";
    EXPECT_EQ(code_of([&] { RunDirectory::create(temporary.path() / "file", "a", "h"); }), ExitCode::io_error);
    EXPECT_EQ(code_of([&] { RunDirectory::open(temporary.path() / "none"); }), ExitCode::missing_input);
}

TEST(RunDirectory, FindsTheNewestRunOfTheSameNameAndConfiguration) {
    TemporaryDirectory temporary;
    EXPECT_FALSE(RunDirectory::find_resumable(temporary.path() / "absent", "a", "h1"));
    std::string newest;
    for (int i = 0; i < 5; ++i) newest = RunDirectory::create(temporary.path(), "a", "h1").id();  // within one second
    RunDirectory::create(temporary.path(), "a", "h2");
    RunDirectory::create(temporary.path(), "a-b", "h1");
    const RunDirectory torn = RunDirectory::create(temporary.path(), "a", "h1");
    std::ofstream(torn.record()) << "{\"run_na";
    const auto found = RunDirectory::find_resumable(temporary.path(), "a", "h1");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id(), newest);
    EXPECT_FALSE(RunDirectory::find_resumable(temporary.path(), "b", "h1"));
    EXPECT_FALSE(RunDirectory::find_resumable(temporary.path(), "a", "h3"));
}

// As a process leaves it that is killed between the first run.json and the rename: whoever went on there would leave a run that nobody finds.
TEST(RunDirectory, ThatWasNeverCommittedIsNotResumed) {
    TemporaryDirectory temporary;
    const RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    fs::rename(run.path(), temporary.path() / (".stage-" + run.id() + "-1234-0123456789abcdef"));
    EXPECT_FALSE(RunDirectory::find_resumable(temporary.path(), "a", "h"));
}

TEST(Ownership, IsReleasedAndTakenAgain) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    run.take_ownership();
    EXPECT_EQ(run.attempt(), 1);
    EXPECT_TRUE(fs::is_directory(run.staging()));
    EXPECT_EQ(code_of([&] { run.check_owned(); }), ExitCode::done);
    const fs::path staging = run.staging();
    run.release();
    EXPECT_FALSE(fs::exists(staging));
    RunDirectory again = RunDirectory::open(run.path());
    again.take_ownership(0);
    EXPECT_EQ(again.attempt(), 2);
}

TEST(Ownership, OfALiveProcessIsRespectedAndNamed) {
    TemporaryDirectory temporary;
    const fs::path path = RunDirectory::create(temporary.path(), "a", "h").path();
    const pid_t owner = owner_process(path);
    const std::size_t before = files_below(path);
    RunDirectory run = RunDirectory::open(path);
    std::string message;
    EXPECT_EQ(code_of([&] { run.take_ownership(0.3); }, &message), ExitCode::run_locked);
    EXPECT_NE(message.find(fmt::format("process {} on {}", owner, host_name())), std::string::npos) << message;
    EXPECT_EQ(files_below(path), before);
    EXPECT_FALSE(run.owned());
    kill(owner, SIGKILL);
    exit_code(owner);
    run.take_ownership(0);
    EXPECT_EQ(run.attempt(), 2);
}

TEST(Ownership, WaitsForAnOwnerThatIsEnding) {
    TemporaryDirectory temporary;
    const fs::path path = RunDirectory::create(temporary.path(), "a", "h").path();
    const pid_t owner = owner_process(path);
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(400));
        kill(owner, SIGKILL);
    });
    RunDirectory run = RunDirectory::open(path);
    const double begin = monotonic_seconds();
    run.take_ownership(10);  // the killed child is a zombie until waited for: it counts as dead
    EXPECT_GT(monotonic_seconds() - begin, 0.3);
    EXPECT_LT(monotonic_seconds() - begin, 5.0);
    end.join();
    exit_code(owner);
}

TEST(Ownership, APidThatWasReusedIsNotTheOwner) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    ProcessIdentity other = ProcessIdentity::self();
    other.start_ticks -= 1;  // our own pid, but begun at another time
    ASSERT_TRUE(claim_attempt(run.path(), 1, other));
    run.take_ownership(0);
    EXPECT_EQ(run.attempt(), 2);
}

TEST(Ownership, ElsewhereLivesWhileItsHeartbeatChanges) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    write_foreign_owner(run.path(), 1);
    {
        const Heartbeat beating(attempt_path(run.path(), 1));
        std::string message;
        EXPECT_EQ(code_of([&] { run.take_ownership(0.2, 4.0); }, &message), ExitCode::run_locked);
        EXPECT_NE(message.find("elsewhere (job 17)"), std::string::npos) << message;
    }
    const double begin = monotonic_seconds();
    run.take_ownership(0.2, 1.0);
    EXPECT_GT(monotonic_seconds() - begin, 0.9);
    EXPECT_EQ(run.attempt(), 2);
}

// The fence: a stale owner that wakes up can neither finish a commit nor begin another.
TEST(Ownership, ATakeoverRevokesWhatTheStaleOwnerStages) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    write_foreign_owner(run.path(), 1);
    const fs::path stale_staging = run.path() / ".stage-0001";
    fs::create_directory(run.checkpoints());
    StagedDirectory under_way(run.checkpoints() / "step-00000001", stale_staging);
    under_way.write("file", "content");
    std::ofstream(run.path() / ".stage-run.json-4711") << "left by a killed process";
    run.take_ownership(0.1, 0.1);
    EXPECT_FALSE(fs::exists(stale_staging));
    EXPECT_EQ(code_of([&] { under_way.write("more", "content"); }), ExitCode::run_locked);
    EXPECT_EQ(code_of([&] { under_way.commit(); }), ExitCode::run_locked);
    EXPECT_EQ(code_of([&] { StagedDirectory(run.checkpoints() / "step-00000002", stale_staging); }), ExitCode::run_locked);
    EXPECT_TRUE(fs::is_empty(run.checkpoints()));
    for (const auto& entry : fs::directory_iterator(run.path())) {
        const std::string name = entry.path().filename().string();
        EXPECT_TRUE(!name.starts_with(".") || entry.path() == run.staging()) << name;
    }
    StagedDirectory ours(run.checkpoints() / "step-00000001", run.staging());
    ours.write("file", "new");
    ours.commit();
    EXPECT_EQ(read_file(run.checkpoints() / "step-00000001" / "file"), "new");
}

TEST(Ownership, AnOwnerThatWasReplacedIsTold) {
    TemporaryDirectory temporary;
    RunDirectory run = RunDirectory::create(temporary.path(), "a", "h");
    run.take_ownership();
    write_foreign_owner(run.path(), 2);
    std::string message;
    EXPECT_EQ(code_of([&] { run.check_owned(); }, &message), ExitCode::run_locked);
    EXPECT_NE(message.find("elsewhere"), std::string::npos) << message;
}

// Eight starters at one time, after a dead owner: exactly one wins, whatever the order; the others leave nothing behind.
TEST(Ownership, RacesHaveExactlyOneWinner) {
    for (int round = 0; round < 25; ++round) {
        TemporaryDirectory temporary;
        const fs::path path = RunDirectory::create(temporary.path(), "a", "h").path();
        if (round % 2) {
            ProcessIdentity dead = ProcessIdentity::self();
            dead.start_ticks -= 1;
            ASSERT_TRUE(claim_attempt(path, 1, dead));
        }
        int gate[2], hold[2];
        ASSERT_EQ(pipe(gate) + pipe(hold), 0);
        for (int i = 0; i < 8; ++i) {
            in_child([&] {
                close(gate[1]);
                close(hold[1]);
                char byte;
                [[maybe_unused]] ssize_t ignored = read(gate[0], &byte, 1);  // all begin when the parent closes the gate
                RunDirectory run = RunDirectory::open(path);
                run.take_ownership(0.1);
                ignored = read(hold[0], &byte, 1);  // the winner stays until the losers have given up
                run.release();
                return 0;
            });
        }
        close(gate[0]);
        close(gate[1]);
        close(hold[0]);
        int winners = 0, locked = 0, ended = 0;
        const auto count_ended = [&](double until) {
            for (int status = 0; ended < 8 && monotonic_seconds() < until;) {
                if (waitpid(-1, &status, WNOHANG) <= 0) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(2));
                    continue;
                }
                ++ended;
                winners += WIFEXITED(status) && WEXITSTATUS(status) == 0;
                locked += WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitCode::run_locked);
                if (ended == 7) return;
            }
        };
        count_ended(monotonic_seconds() + 20);
        close(hold[1]);
        count_ended(monotonic_seconds() + 20);
        EXPECT_EQ(winners, 1) << "round " << round;
        EXPECT_EQ(locked, 7) << "round " << round;
        EXPECT_EQ(last_attempt(path), 1 + round % 2);
        for (const auto& entry : fs::directory_iterator(path / "attempts")) {
            EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
        }
    }
}

// A link to itself cannot be listed, like a folder of a file server that does not answer.
TEST(RunDirectory, AFolderThatCannotBeListedIsNotAnEmptyOne) {
    TemporaryDirectory temporary;
    EXPECT_FALSE(RunDirectory::find_resumable(temporary.path() / "none", "tiny", "h"));
    fs::create_symlink("loop", temporary.path() / "loop");
    try {
        RunDirectory::find_resumable(temporary.path() / "loop", "tiny", "h");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::io_error);
        EXPECT_NE(std::string(error.what()).find("cannot be listed"), std::string::npos) << error.what();
    }
    RunDirectory run = RunDirectory::create(temporary.path() / "runs", "tiny", "h");
    EXPECT_EQ(last_attempt(run.path()), 0);
    fs::create_symlink("attempts", run.path() / "attempts");
    EXPECT_THROW(last_attempt(run.path()), Error);
    EXPECT_THROW(run.take_ownership(), Error);
}

}  // namespace
}  // namespace temper
