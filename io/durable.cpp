#include "io/durable.h"

#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "io/input_file.h"
#include "io/process_state.h"
#include "io/sha256.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace temper {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& path, const char* operation, int error) {
    throw_error(ExitCode::io_error, "{}: {}: {}", path.string(), operation, std::strerror(error));
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

int open_retrying(const fs::path& path, int flags, mode_t mode) {
    int fd;
    do fd = system_calls().open(path.c_str(), flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

// An open file that is closed once, whatever happens: on Linux the descriptor is gone even when close reports an error.
class OutputFile {
  public:
    // shown: the name in error messages, that of the target.
    OutputFile(const fs::path& path, const fs::path& shown) : shown_(shown) {
        fd_ = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd_ < 0 && errno == EEXIST && system_calls().unlink(path.c_str()) == 0)  // left by a dead process that had our pid
            fd_ = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd_ < 0) fail(shown_, "open", errno);
    }
    ~OutputFile() {
        if (fd_ >= 0) system_calls().close(fd_);
    }
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = system_calls().write(fd_, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) fail(shown_, "write", errno);
            if (count == 0) fail(shown_, "write", ENOSPC);
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    void sync_and_close() {
        if (system_calls().fsync(fd_) != 0) fail(shown_, "fsync", errno);
        const int fd = std::exchange(fd_, -1);
        if (system_calls().close(fd) != 0) fail(shown_, "close", errno);
    }

  private:
    fs::path shown_;
    int fd_ = -1;
};

void sync_directory(const fs::path& directory) {
    const int fd = open_retrying(directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) fail(directory, "open", errno);
    const int result = system_calls().fsync(fd);
    const int error = errno;
    system_calls().close(fd);  // nothing was written through it
    if (result != 0) fail(directory, "fsync", error);
}

void write_and_sync(const fs::path& path, const fs::path& shown, const Producer& produce) {
    OutputFile file(path, shown);
    produce([&](std::string_view bytes) { file.write(bytes); });
    file.sync_and_close();
}

Producer whole(std::string_view bytes) {
    return [bytes](const Sink& sink) { sink(bytes); };
}

// Of the machine since it was started, and of the processes that see one another there: a pid means the same wherever the mark is the same.
std::uint32_t machine_mark() {
    static const std::uint32_t mark = [] {
        std::ifstream file("/proc/sys/kernel/random/boot_id");
        std::string boot;
        std::error_code unknown;
        const fs::path processes = fs::read_symlink("/proc/self/ns/pid", unknown);
        if (!std::getline(file, boot) || unknown) return static_cast<std::uint32_t>(std::random_device()());  // then it is nobody else's
        return static_cast<std::uint32_t>(std::stoul(sha256_hex(boot + processes.string()).substr(0, 8), nullptr, 16));
    }();
    return mark;
}

bool is_older_than_a_day(const fs::path& path) {
    const auto old = [](const fs::path& one) {
        std::error_code error;
        const auto time = fs::last_write_time(one, error);
        return !error && fs::file_time_type::clock::now() - time > std::chrono::hours(24);
    };
    if (!old(path)) return false;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
        if (!old(entry->path())) return false;
    return !error || error == std::errc::not_a_directory;
}

// What staging_path() named, and its process is gone: dead on this machine, or silent for a day wherever it is.
bool is_left_behind(const fs::path& path) {
    const std::string name = path.filename().string();
    const std::size_t salt = name.rfind('-'), pid = salt == std::string::npos || salt == 0 ? std::string::npos : name.rfind('-', salt - 1);
    if (!name.starts_with(".stage-") || pid == std::string::npos || pid < 7 || name.size() != salt + 17) return false;
    const std::string process = name.substr(pid + 1, salt - pid - 1), marks = name.substr(salt + 1);
    if (process.empty() || process.size() > 9 || process.find_first_not_of("0123456789") != std::string::npos ||
        marks.find_first_not_of("0123456789abcdef") != std::string::npos)
        return false;
    if (marks.substr(0, 8) == fmt::format("{:08x}", machine_mark()) && !process_lives(std::stoi(process))) return true;
    return is_older_than_a_day(path);
}

// Temporary names of killed processes: looked for once in each folder that this process writes to.
void remove_left_behind(const fs::path& folder) {
    static std::mutex mutex;
    static std::set<fs::path> seen;
    {
        const std::lock_guard lock(mutex);
        if (!seen.insert(folder).second) return;
    }
    std::error_code ignored;
    std::vector<fs::path> garbage;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored))
        if (is_left_behind(entry->path())) garbage.push_back(entry->path());
    for (const fs::path& path : garbage) fs::remove_all(path, ignored);
}

// Removes a file on the way out of a scope that failed.
struct RemoveUnlessKept {
    const fs::path& path;
    bool kept = false;
    ~RemoveUnlessKept() {
        if (!kept) system_calls().unlink(path.c_str());
    }
};

}  // namespace

// A process of another machine or container may have our pid on the same file system: the machine's mark and a random number tell them apart.
fs::path staging_path(const fs::path& target) {
    static const std::uint32_t salt = std::random_device()();
    return parent_of(target) / fmt::format(".stage-{}-{}-{:08x}{:08x}", target.filename().string(), ::getpid(), machine_mark(), salt);
}

void write_durable(const fs::path& path, std::string_view bytes) { write_durable(path, whole(bytes)); }

void write_durable(const fs::path& path, const Producer& produce) {
    const fs::path temporary = staging_path(path);
    remove_left_behind(parent_of(path));
    {
        RemoveUnlessKept guard{temporary};
        write_and_sync(temporary, path, produce);
        if (system_calls().rename(temporary.c_str(), path.c_str()) != 0) fail(path, "rename onto it", errno);
        guard.kept = true;
    }
    sync_directory(parent_of(path));
}

void rename_durable(const fs::path& staged, const fs::path& target) {
    if (system_calls().rename(staged.c_str(), target.c_str()) != 0) fail(target, "rename onto it", errno);
    sync_directory(parent_of(target));
}

StagedDirectory::StagedDirectory(fs::path target, const fs::path& staging_parent) : target_(std::move(target)) {
    if (!target_.has_filename()) target_ = target_.parent_path();  // "out/" is "out"
    staging_ = staging_parent.empty() ? staging_path(target_) : staging_parent / target_.filename();
    if (staging_parent.empty()) remove_left_behind(parent_of(target_));
    std::error_code ignored;
    fs::remove_all(staging_, ignored);  // left by a dead process that had our pid
    if (system_calls().mkdir(staging_.c_str(), 0777) == 0) return;
    const int error = errno;
    if (!staging_parent.empty() && !fs::exists(staging_parent)) refuse();
    fail(target_, "mkdir", error);
}

StagedDirectory::~StagedDirectory() {
    if (committed_) return;
    for (const auto& [name, hash] : written_) system_calls().unlink((staging_ / name).c_str());
    system_calls().rmdir(staging_.c_str());
}

void StagedDirectory::write(const std::string& name, std::string_view bytes) { write(name, whole(bytes)); }

void StagedDirectory::refuse_if_taken_away() const {
    if (!fs::exists(staging_)) refuse();
}

void StagedDirectory::refuse() const {
    throw_error(ExitCode::run_locked, "{}: {} was taken away before the commit: another job owns the directory", target_.string(), staging_.string());
}

void StagedDirectory::write(const std::string& name, const Producer& produce) {
    refuse_if_taken_away();
    assert(!name.empty() && name.find('/') == std::string::npos && !committed_);
    written_.emplace_back(name, "");  // first, so that the destructor removes a half-written file as well
    Sha256 hash;
    try {
        write_and_sync(staging_ / name, target_ / name, [&](const Sink& sink) {
            produce([&](std::string_view bytes) {
                hash.update(bytes);
                sink(bytes);
            });
        });
    } catch (const Error&) {
        refuse_if_taken_away();
        throw;
    }
    written_.back().second = hash.hex();
}

void StagedDirectory::commit() {
    refuse_if_taken_away();
    for (const auto& [name, meant] : written_)
        if (const std::string found = sha256_file(staging_ / name); found != meant)
            throw_error(ExitCode::io_error, "{}: re-read after writing it has SHA-256 {}, expected {}: the storage is not reliable",
                        (target_ / name).string(), found, meant);
    sync_directory(staging_);
    if (system_calls().rename(staging_.c_str(), target_.c_str()) != 0) {
        const int error = errno;
        refuse_if_taken_away();
        if (error == ENOTEMPTY || error == EEXIST || error == ENOTDIR)
            throw_error(ExitCode::io_error, "{}: exists already; remove it or name another directory", target_.string());
        fail(target_, "rename onto it", error);
    }
    committed_ = true;
    sync_directory(parent_of(target_));
}

}  // namespace temper
