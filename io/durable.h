// Files that are whole or absent: written to a temporary name, synced, closed, renamed, the directory synced.
//
// The temporary name of `target` is `.stage-<name of target>-<pid>-<random>` beside it; a killed process leaves it behind, and the owner of the
// directory removes it. After a failed fsync the kernel may have dropped the dirty pages and called them clean, so nothing is ever
// synced twice: the temporary is abandoned, and a retry starts from a new file (Rebello et al., USENIX ATC 2020).
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/span.h"

namespace temper {

// Consumes the bytes of a file piece by piece, in order.
using Sink = std::function<void(std::string_view)>;
using Producer = std::function<void(const Sink&)>;

// io_error (74) names the path, the operation and errno; the target is then as it was before. Only where the last sync, of the
// directory, fails is the new file already in place: whole, but not yet promised to survive a power loss.
void write_durable(const std::filesystem::path& path, std::string_view bytes);
void write_durable(const std::filesystem::path& path, const Producer& produce);
// missing_input when absent, bad_data when longer than limit.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t(1) << 40);
std::filesystem::path staging_path(const std::filesystem::path& target);
// A file written durably under its staging path becomes the target, which is replaced.
void rename_durable(const std::filesystem::path& staged, const std::filesystem::path& target);

std::string sha256_hex(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);

// A directory committed as one: files are written into a staging directory beside the target, each synced, re-read and compared by
// hash; commit() renames the staging directory onto the target and syncs the parent. Destroyed uncommitted, it removes what it wrote.
// With `staging_parent`, which must exist on the same file system, the staging directory lies in there: whoever renames that folder
// revokes everything its holder has staged and could still stage.
class StagedDirectory {
  public:
    explicit StagedDirectory(std::filesystem::path target, const std::filesystem::path& staging_parent = {});
    ~StagedDirectory();
    StagedDirectory(const StagedDirectory&) = delete;
    StagedDirectory& operator=(const StagedDirectory&) = delete;
    // name is plain, without a folder.
    void write(const std::string& name, std::string_view bytes);
    void write(const std::string& name, const Producer& produce);
    // io_error when the target exists and is not an empty directory; run_locked when the staging directory was taken away, which is
    // how a new owner of the run directory stops an old one.
    void commit();
    const std::filesystem::path& staging() const { return staging_; }

  private:
    void refuse_if_taken_away() const;
    [[noreturn]] void refuse() const;

    std::filesystem::path target_, staging_;
    std::vector<std::pair<std::string, std::string>> written_;  // name, sha256 of what was meant
    bool committed_ = false;
};

}  // namespace temper
