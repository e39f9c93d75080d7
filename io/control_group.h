// What the control groups of this process (version 1 or 2) leave it of memory.
#pragma once
#include <cstdint>
#include <filesystem>

namespace temper {

// Of the group with this folder: its limit less what is in use and cannot be reclaimed at once. INT64_MAX where there is no limit.
std::int64_t memory_room(const std::filesystem::path& group);
// The least of this process's groups and of those above them.
std::int64_t memory_room_of_groups();

}  // namespace temper
