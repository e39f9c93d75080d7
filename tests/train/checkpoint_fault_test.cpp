// A save that fails or dies at any of its system calls leaves a readable newest checkpoint: the one before, or the new one whole.
#include <cerrno>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/system_calls.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

TrainState state_of(std::int64_t step, std::size_t size = 1000) {
    TrainState state;
    state.step = step;
    state.parameters.assign(size, static_cast<float>(step));
    state.first_moment.assign(size, static_cast<float>(step) + 0.5f);
    state.second_moment.assign(size, static_cast<float>(step) + 0.25f);
    state.cursor = {{"row", step}};
    return state;
}

bool whole(const TrainState& found) {
    const TrainState meant = state_of(found.step, found.parameters.size());
    return found.parameters == meant.parameters && found.first_moment == meant.first_moment && found.second_moment == meant.second_moment &&
           found.cursor == meant.cursor;
}

enum class Fault { fails, writes_less, dies_before, dies_after };

// The k-th call, and with `sticky` every one after it, meets the fault.
class FaultyCalls : public SystemCalls {
    bool next_is_hit() const { return count_ + 1 == k_ || (sticky_ && count_ + 1 > k_); }
    // `anyway` is done even when the call fails.
    template <class Call, class Anyway> auto guard(Call call, Anyway anyway) -> decltype(call()) {
        const bool hit = next_is_hit();
        ++count_;
        if (hit && fault_ == Fault::dies_before) kill(getpid(), SIGKILL);
        if (hit && fault_ == Fault::fails) {
            anyway();
            errno = error_;
            return -1;
        }
        const auto result = call();
        if (hit && fault_ == Fault::dies_after) kill(getpid(), SIGKILL);
        return result;
    }
    template <class Call> auto guard(Call call) -> decltype(call()) {
        return guard(call, [] {});
    }

  public:
    FaultyCalls(int k, Fault fault, int error, bool sticky) : k_(k), fault_(fault), error_(error), sticky_(sticky) {}
    int count() const { return count_; }

    int open(const char* path, int flags, mode_t mode) override {
        return guard([&] { return SystemCalls::open(path, flags, mode); });
    }
    ssize_t write(int fd, const void* bytes, std::size_t size) override {
        const std::size_t size_now = fault_ == Fault::writes_less && next_is_hit() ? (size + 1) / 2 : size;
        return guard([&] { return SystemCalls::write(fd, bytes, size_now); });
    }
    int fsync(int fd) override {
        return guard([&] { return SystemCalls::fsync(fd); });
    }
    int close(int fd) override {
        return guard([&] { return SystemCalls::close(fd); }, [&] { SystemCalls::close(fd); });  // a close that fails has closed
    }
    int rename(const char* from, const char* to) override {
        return guard([&] { return SystemCalls::rename(from, to); });
    }
    int mkdir(const char* path, mode_t mode) override {
        return guard([&] { return SystemCalls::mkdir(path, mode); });
    }
    int unlink(const char* path) override {
        return guard([&] { return SystemCalls::unlink(path); });
    }
    int rmdir(const char* path) override {
        return guard([&] { return SystemCalls::rmdir(path); });
    }

  private:
    int k_;
    Fault fault_;
    int error_;
    bool sticky_;
    int count_ = 0;
};

int calls_of_a_save() {
    TemporaryDirectory temporary;
    CheckpointStore store(temporary.path() / "checkpoints");
    store.save(state_of(1));
    FaultyCalls calls(0, Fault::fails, EIO, false);
    const SystemCallsOverride override(calls);
    store.save(state_of(2));
    store.prune(1);
    return calls.count();
}

// After any fault: the newest loads, is step 1 or 2 and whole, and the next save works.
void expect_usable(const fs::path& dir, bool saved, const std::string& fault) {
    CheckpointStore store(dir);
    const std::optional<TrainState> found = store.load_newest();
    ASSERT_TRUE(found) << fault;
    EXPECT_TRUE(whole(*found)) << fault;
    EXPECT_TRUE(found->step == 1 || found->step == 2) << fault;
    EXPECT_TRUE(!saved || found->step == 2) << fault;
    store.save(state_of(3));
    EXPECT_EQ(CheckpointStore(dir).load_newest()->step, 3) << fault;
}

TEST(CheckpointFaults, EveryFailingCallLeavesAReadableCheckpoint) {
    const int calls = calls_of_a_save();
    ASSERT_GT(calls, 12);
    int failed = 0;
    for (const bool sticky : {false, true}) {
        for (const int error : {ENOSPC, EIO, EDQUOT, EINTR}) {
            if (error == EINTR && sticky) continue;  // would be retried for ever, as it should be
            for (int k = 1; k <= calls; ++k) {
                TemporaryDirectory temporary;
                const fs::path dir = temporary.path() / "checkpoints";
                CheckpointStore store(dir);
                store.save(state_of(1));
                bool saved = false;
                {
                    FaultyCalls faulty(k, Fault::fails, error, sticky);
                    const SystemCallsOverride override(faulty);
                    try {
                        store.save(state_of(2));
                        saved = true;
                        store.prune(1);
                    } catch (const Error& caught) {
                        EXPECT_EQ(caught.code(), ExitCode::io_error) << caught.what();
                        EXPECT_NE(std::string(caught.what()).find("checkpoints"), std::string::npos) << caught.what();
                        ++failed;
                    }
                }
                expect_usable(dir, saved, fmt::format("call {} of {}: errno {}{}", k, calls, error, sticky ? " and ever after" : ""));
                if (HasFatalFailure()) return;
            }
        }
    }
    EXPECT_GT(failed, calls);  // the faults were real
}

TEST(CheckpointFaults, ShortWritesAreWrittenOn) {
    const int calls = calls_of_a_save();
    for (int k = 1; k <= calls; ++k) {
        TemporaryDirectory temporary;
        const fs::path dir = temporary.path() / "checkpoints";
        CheckpointStore store(dir);
        store.save(state_of(1));
        FaultyCalls faulty(k, Fault::writes_less, 0, true);
        {
            const SystemCallsOverride override(faulty);
            store.save(state_of(2));
        }
        expect_usable(dir, true, fmt::format("short writes from call {}", k));
    }
}

TEST(CheckpointFaults, DeathBeforeOrAfterEveryCall) {
    const int calls = calls_of_a_save();
    for (const Fault fault : {Fault::dies_before, Fault::dies_after}) {
        for (int k = 1; k <= calls; ++k) {
            TemporaryDirectory temporary;
            const fs::path dir = temporary.path() / "checkpoints";
            CheckpointStore(dir).save(state_of(1));
            const pid_t child = fork();
            if (child == 0) {
                FaultyCalls faulty(k, fault, 0, false);
                const SystemCallsOverride override(faulty);
                CheckpointStore store(dir);
                store.save(state_of(2));
                store.prune(1);
                _exit(0);
            }
            int status = 0;
            waitpid(child, &status, 0);
            EXPECT_TRUE(WIFSIGNALED(status)) << "call " << k << " of " << calls << " was not reached";
            expect_usable(dir, false, fmt::format("death at call {} of {}", k, calls));
            if (HasFatalFailure()) return;
        }
    }
}

// A child saves step after step and is killed at a random moment; it says through a pipe which step was committed last.
TEST(CheckpointFaults, KilledAtRandomMoments) {
    std::mt19937 random(7);
    TemporaryDirectory temporary;
    const fs::path dir = temporary.path() / "checkpoints";
    std::int64_t known = 0;
    for (int round = 0; round < 100; ++round) {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            CheckpointStore store(dir);
            const auto newest = store.load_newest();
            for (std::int64_t step = newest ? newest->step + 1 : 1;; ++step) {
                store.save(state_of(step, 20000));
                if (write(ends[1], &step, sizeof step) != sizeof step) _exit(1);
                store.prune(2);
            }
        }
        close(ends[1]);
        // So many saves, however slow the machine is, and then a part of one.
        std::int64_t step = 0;
        for (std::uint64_t left = random() % 3; left > 0 && read(ends[0], &step, sizeof step) == sizeof step; --left) known = step;
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
        for (; read(ends[0], &step, sizeof step) == sizeof step;) known = step;
        close(ends[0]);
        std::vector<std::string> passed_over;
        CheckpointStore store(dir, {}, [&](const std::string& text) { passed_over.push_back(text); });
        const auto newest = store.load_newest();
        EXPECT_TRUE(passed_over.empty()) << passed_over[0];  // a committed directory is never half
        if (!newest) {
            EXPECT_EQ(known, 0);
            continue;
        }
        EXPECT_TRUE(whole(*newest));
        EXPECT_GE(newest->step, known) << "a step that was reported as saved is lost";
        known = newest->step;
    }
    EXPECT_GT(known, 50);
}

}  // namespace
}  // namespace temper
