// What lies in a folder. A folder that cannot be read is not an empty one: a network file system that hangs must not look like a fresh start.
#pragma once
#include <filesystem>
#include <vector>

namespace temper {

// In no order; empty where there is no such folder. io_error (74) where it cannot be listed whole.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

}  // namespace temper
