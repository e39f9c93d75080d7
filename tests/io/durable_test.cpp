// A save is cut at every system call it makes: by an error, by a short write, and by the end of the process before and after the call.
#include "io/durable.h"

#include <cerrno>
#include <fstream>
#include <functional>
#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/process_state.h"
#include "io/system_calls.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

enum class Fault { none, error, short_write, corrupt_write, exit_before, exit_after };

// Does what the system does, but for the k-th call.
class FaultyCalls : public SystemCalls {
  public:
    FaultyCalls(int k, Fault fault, int error = 0, bool sticky = false) : k_(k), fault_(fault), error_(error), sticky_(sticky) {}
    int calls() const { return calls_; }
    const std::vector<std::string>& fsynced_again() const { return fsynced_again_; }

    int open(const char* path, int flags, mode_t mode) override {
        return faulty([&] { return SystemCalls::open(path, flags, mode); });
    }
    ssize_t write(int fd, const void* bytes, std::size_t count) override {
        if (is_now() && fault_ == Fault::short_write) {
            ++calls_;
            return SystemCalls::write(fd, bytes, (count + 1) / 2);
        }
        if (is_now() && fault_ == Fault::corrupt_write) {
            ++calls_;
            std::string other(static_cast<const char*>(bytes), count);
            other[count / 2] ^= 1;
            return SystemCalls::write(fd, other.data(), count);
        }
        return faulty([&] { return SystemCalls::write(fd, bytes, count); });
    }
    int fsync(int fd) override {
        if (failed_fsync_.count(fd) != 0) fsynced_again_.push_back("fsync after a failed fsync");
        const int result = faulty([&] { return SystemCalls::fsync(fd); });
        if (result != 0) failed_fsync_.insert(fd);
        return result;
    }
    // A descriptor is released even by a close that reports an error.
    int close(int fd) override {
        const int result = faulty([] { return 0; });
        failed_fsync_.erase(fd);
        SystemCalls::close(fd);
        return result;
    }
    int rename(const char* from, const char* to) override {
        return faulty([&] { return SystemCalls::rename(from, to); });
    }
    int mkdir(const char* path, mode_t mode) override {
        return faulty([&] { return SystemCalls::mkdir(path, mode); });
    }

  private:
    bool is_now() const { return sticky_ ? calls_ >= k_ : calls_ == k_; }
    template <class Call> auto faulty(Call&& call) -> decltype(call()) {
        const bool now = is_now();
        ++calls_;
        if (now && fault_ == Fault::exit_before) ::_exit(42);
        if (now && fault_ == Fault::error) {
            errno = error_;
            return -1;
        }
        const auto result = call();
        if (now && fault_ == Fault::exit_after) ::_exit(42);
        return result;
    }

    int k_;
    Fault fault_;
    int error_;
    bool sticky_;
    int calls_ = 0;
    std::set<int> failed_fsync_;
    std::vector<std::string> fsynced_again_;
};

std::vector<std::string> listing(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

// A save of something that can be checked, in a fresh directory.
struct Save {
    std::function<void(const fs::path&)> prepare, run;
    std::function<std::string(const fs::path&)> found;  // "old", "new" or a description of a mixture
    std::string left;                                   // the only name allowed in the directory
};

int calls_of(const Save& save) {
    const TemporaryDirectory directory;
    save.prepare(directory.path());
    FaultyCalls calls(-1, Fault::none);
    const SystemCallsOverride in_place(calls);
    save.run(directory.path());
    EXPECT_EQ(save.found(directory.path()), "new");
    return calls.calls();
}

void expect_whole_after_errors(const Save& save) {
    const int count = calls_of(save);
    ASSERT_GE(count, 6);
    for (const int error : {EIO, ENOSPC, EDQUOT, EACCES, EINTR})
        for (const bool sticky : {false, true})
            for (int k = 0; k < count; ++k) {
                if (error == EINTR && sticky) continue;  // would be retried for ever, as it should be
                SCOPED_TRACE(fmt::format("errno {} at call {}{}", error, k, sticky ? " and after" : ""));
                const TemporaryDirectory directory;
                save.prepare(directory.path());
                FaultyCalls calls(k, Fault::error, error, sticky);
                bool threw = false;
                {
                    const SystemCallsOverride in_place(calls);
                    try {
                        save.run(directory.path());
                    } catch (const Error& failure) {
                        threw = true;
                        EXPECT_EQ(failure.code(), ExitCode::io_error) << failure.what();
                        EXPECT_NE(std::string(failure.what()).find(directory.path().string()), std::string::npos) << failure.what();
                        EXPECT_NE(std::string(failure.what()).find(std::strerror(error)), std::string::npos) << failure.what();
                    }
                }
                const std::string found = save.found(directory.path());
                EXPECT_TRUE(found == "new" || (threw && found == "old")) << found;
                for (const std::string& name : listing(directory.path())) EXPECT_EQ(name, save.left);
                EXPECT_TRUE(calls.fsynced_again().empty());
            }
}

void expect_whole_after_death(const Save& save) {
    const int count = calls_of(save);
    for (const Fault fault : {Fault::exit_before, Fault::exit_after})
        for (int k = 0; k < count; ++k) {
            SCOPED_TRACE(fmt::format("{} call {}", fault == Fault::exit_before ? "before" : "after", k));
            const TemporaryDirectory directory;
            save.prepare(directory.path());
            const pid_t child = ::fork();
            if (child == 0) {
                FaultyCalls calls(k, fault);
                const SystemCallsOverride in_place(calls);
                save.run(directory.path());
                ::_exit(0);
            }
            int status = 0;
            ASSERT_EQ(::waitpid(child, &status, 0), child);
            ASSERT_EQ(WEXITSTATUS(status), 42);
            const std::string found = save.found(directory.path());
            EXPECT_TRUE(found == "old" || found == "new") << found;
            for (const std::string& name : listing(directory.path()))
                EXPECT_TRUE(name == save.left || name.rfind(".stage-" + save.left + "-", 0) == 0) << name;
        }
}

const std::string old_bytes = "the old file", new_bytes = std::string(100000, 'n') + "ew";

Save file_save() {
    return {[](const fs::path& directory) { write_durable(directory / "state", old_bytes); },
            [](const fs::path& directory) {
                write_durable(directory / "state", [](const Sink& sink) {
                    sink(std::string_view(new_bytes).substr(0, 1000));
                    sink(std::string_view(new_bytes).substr(1000));
                });
            },
            [](const fs::path& directory) {
                const std::string bytes = read_file(directory / "state");
                return std::string(bytes == old_bytes ? "old" : bytes == new_bytes ? "new" : "a mixture");
            },
            "state"};
}

Save directory_save() {
    return {[](const fs::path&) {},
            [](const fs::path& directory) {
                StagedDirectory staged(directory / "step");
                staged.write("state.h5", new_bytes);
                staged.write("manifest.json", "{}");
                staged.commit();
            },
            [](const fs::path& directory) -> std::string {
                if (!fs::exists(directory / "step")) return "old";
                if (listing(directory / "step") != std::vector<std::string>{"manifest.json", "state.h5"}) return "files are missing";
                return read_file(directory / "step/state.h5") == new_bytes && read_file(directory / "step/manifest.json") == "{}" ? "new"
                                                                                                                                  : "a mixture";
            },
            "step"};
}

TEST(Durable, FileIsWholeAfterEveryError) { expect_whole_after_errors(file_save()); }
TEST(Durable, DirectoryIsWholeAfterEveryError) { expect_whole_after_errors(directory_save()); }
TEST(Durable, FileIsWholeAfterDeathAtEveryCall) { expect_whole_after_death(file_save()); }
TEST(Durable, DirectoryIsWholeAfterDeathAtEveryCall) { expect_whole_after_death(directory_save()); }

TEST(Durable, ShortWritesAreContinued) {
    for (const Save& save : {file_save(), directory_save()}) {
        const int count = calls_of(save);
        for (int k = 0; k < count; ++k) {
            const TemporaryDirectory directory;
            save.prepare(directory.path());
            FaultyCalls calls(k, Fault::short_write);
            const SystemCallsOverride in_place(calls);
            save.run(directory.path());
            EXPECT_EQ(save.found(directory.path()), "new");
        }
    }
}

TEST(Durable, StorageThatAltersBytesIsNoticedBeforeTheCommit) {
    const TemporaryDirectory directory;
    FaultyCalls calls(2, Fault::corrupt_write);  // mkdir, open, write
    const SystemCallsOverride in_place(calls);
    StagedDirectory staged(directory / "step");
    staged.write("state.h5", new_bytes);
    EXPECT_ERROR(staged.commit(), ExitCode::io_error, "step/state.h5: re-read after writing it has SHA-256");
    EXPECT_FALSE(fs::exists(directory / "step"));
}

TEST(Durable, UncommittedDirectoryIsRemoved) {
    const TemporaryDirectory directory;
    {
        StagedDirectory staged(directory / "step");
        staged.write("a", "1");
        EXPECT_EQ(listing(directory.path()), std::vector<std::string>{staging_path(directory / "step").filename().string()});
    }
    EXPECT_TRUE(listing(directory.path()).empty());
}

TEST(Durable, CommittedDirectoryIsNeverOverwritten) {
    const TemporaryDirectory directory;
    const auto save = [&](const std::string& bytes) {
        StagedDirectory staged(directory / "step/");
        staged.write("a", bytes);
        staged.commit();
    };
    save("1");
    EXPECT_ERROR(save("2"), ExitCode::io_error, "exists already");
    EXPECT_EQ(read_file(directory / "step" / "a"), "1");
    EXPECT_EQ(listing(directory.path()), std::vector<std::string>{"step"});
}

TEST(Durable, StagingTakenAwayStopsTheOldOwner) {
    const TemporaryDirectory directory;
    StagedDirectory staged(directory / "step");
    staged.write("a", "1");
    fs::rename(staged.staging(), directory / "revoked");
    EXPECT_ERROR(staged.commit(), ExitCode::run_locked, "another job owns the directory");
    EXPECT_FALSE(fs::exists(directory / "step"));
}

TEST(Durable, LeftoverOfADeadProcessWithOurPidIsReplaced) {
    const TemporaryDirectory directory;
    directory.put(staging_path(directory / "f").filename().string(), "half");
    write_durable(directory / "f", "whole");
    EXPECT_EQ(read_file(directory / "f"), "whole");
    fs::create_directory(staging_path(directory / "d"));
    directory.put(staging_path(directory / "d").filename().string() + "/x", "half");
    StagedDirectory staged(directory / "d");
    staged.write("a", "1");
    staged.commit();
    EXPECT_EQ(listing(directory / "d"), std::vector<std::string>{"a"});
}

TEST(Durable, RealRefusalsNameThePath) {
    EXPECT_ERROR(write_durable("/proc/absent/file", "x"), ExitCode::io_error, "/proc/absent/file: open: No such file or directory");
    EXPECT_ERROR(read_file("/absent/file"), ExitCode::missing_input, "/absent/file: no such file");
    EXPECT_ERROR(read_file("/tmp"), ExitCode::missing_input, "/tmp: is a directory");
    const TemporaryDirectory directory;
    const auto path = directory.put("five", "12345");
    EXPECT_EQ(read_file(path, 5), "12345");
    EXPECT_ERROR(read_file(path, 4), ExitCode::bad_data, "five: 5 bytes, expected at most 4");
}

TEST(Sha256, KnownAnswers) {  // FIPS 180-4 examples
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const TemporaryDirectory directory;
    const std::string million(1000000, 'a');
    EXPECT_EQ(sha256_file(directory.put("million", million)), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// As a process that is killed while it writes `target` leaves it; its pid, by then nobody's.
pid_t die_while_writing(const fs::path& target) {
    const pid_t child = fork();
    if (child == 0) write_durable(target, Producer([](const Sink&) { _exit(0); }));
    int status = 0;
    waitpid(child, &status, 0);
    return child;
}

TEST(Durable, RemovesWhatKilledProcessesLeftAndNothingElse) {
    const TemporaryDirectory temporary;
    const fs::path folder = temporary.path() / "folder";
    fs::create_directory(folder);
    const std::string dead = std::to_string(die_while_writing(folder / "one")), ours = std::to_string(getpid());
    const std::string salt = staging_path("x").filename().string().substr((".stage-x-" + ours + "-").size());
    ASSERT_TRUE(fs::exists(folder / (".stage-one-" + dead + "-" + salt)));
    fs::create_directories(folder / (".stage-a-run-" + dead + "-" + salt) / "inner");
    const std::string elsewhere = salt[0] == '0' ? "1" + salt.substr(1) : "0" + salt.substr(1);
    const std::vector<std::string> kept = {".stage-alive-" + ours + "-" + salt, ".stage-elsewhere-" + dead + "-" + elsewhere, ".stage-0001",
                                           ".stage-mine-1-2", "one-" + dead + "-" + salt};
    for (const std::string& name : kept) std::ofstream(folder / name) << "bytes";
    const fs::path old = folder / (".stage-old-" + dead + "-" + elsewhere), used = folder / (".stage-used-" + dead + "-" + elsewhere);
    std::ofstream(old) << "bytes";
    fs::create_directory(used);
    std::ofstream(used / "file") << "bytes";
    for (const fs::path& path : {old, used}) fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(25));

    write_durable(folder / "two", "bytes");
    std::vector<std::string> left = listing(folder), expected = kept;
    expected.insert(expected.end(), {"two", used.filename().string()});  // a file within it is new
    std::sort(left.begin(), left.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(left, expected);
}

// Its parent was killed too, and what adopts orphans is slow to wait for them, or never does, as process 1 of many containers.
TEST(Durable, AProcessThatNobodyWaitsForIsDead) {
    const TemporaryDirectory temporary;
    const pid_t child = fork();
    if (child == 0) write_durable(temporary / "one", Producer([](const Sink&) { _exit(0); }));
    siginfo_t info{};
    ASSERT_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
    ASSERT_EQ(listing(temporary.path()).size(), 1u);
    EXPECT_FALSE(process_lives(child));
    write_durable(temporary / "two", "bytes");
    EXPECT_EQ(listing(temporary.path()), std::vector<std::string>{"two"});
    waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace temper
