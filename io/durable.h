// Files that are whole or absent: written to a temporary name, synced, closed, renamed, the directory synced.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/span.h"

namespace temper {

// io_error (74) names the path, the operation and errno; the target is then as it was before.
void write_durable(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t(1) << 40);  // missing_input when absent

std::string sha256_hex(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);

// A directory committed as one: files are written into a staging directory beside the target, each synced, re-read and compared by
// hash; commit() renames the staging directory onto the target and syncs the parent. Destroyed uncommitted, it removes what it wrote.
class StagedDirectory {
  public:
    explicit StagedDirectory(std::filesystem::path target);
    ~StagedDirectory();
    StagedDirectory(const StagedDirectory&) = delete;
    StagedDirectory& operator=(const StagedDirectory&) = delete;
    void write(const std::string& name, std::string_view bytes);
    void commit();

  private:
    std::filesystem::path target_, staging_;
    bool committed_ = false;
};

}  // namespace temper
