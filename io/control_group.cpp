#include "io/control_group.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace temper {
namespace {

// The names that a version gives to the same figures.
struct Names {
    const char *limit, *used, *reclaimable;
};
constexpr Names version_2{"memory.max", "memory.current", "inactive_file"};
constexpr Names version_1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

// 0 where there is none: without a limit version 2 writes "max".
std::int64_t read_number(const std::filesystem::path& path) {
    std::int64_t number = 0;
    std::ifstream file(path);
    return file >> number ? number : 0;
}

std::int64_t read_figure(const std::filesystem::path& path, const std::string& wanted) {
    std::ifstream file(path);
    std::string name;
    for (std::int64_t number = 0; file >> name >> number;)
        if (name == wanted) return number;
    return 0;
}

std::int64_t room_of(const std::filesystem::path& group, const Names& names) {
    const std::int64_t limit = read_number(group / names.limit);
    if (limit <= 0) return INT64_MAX;
    // Pages of files that nobody has read lately count as used, but make room for whoever asks.
    const std::int64_t used = read_number(group / names.used) - read_figure(group / "memory.stat", names.reclaimable);
    return std::clamp<std::int64_t>(limit - used, 0, limit);
}

// "4:cpu,memory:/jobs/7" is of version 1's memory, "0::/jobs/7" of version 2. Where such groups' folders lie; empty: of something else.
std::filesystem::path mount_of(std::string_view controllers) {
    const std::filesystem::path root = "/sys/fs/cgroup";
    if (controllers.empty()) return root;
    const std::string list = "," + std::string(controllers) + ",";
    return list.find(",memory,") == std::string::npos ? std::filesystem::path() : root / "memory";
}

// A container may see its own group as the root of all, and its name as it is outside.
std::vector<std::filesystem::path> groups_of_this_process() {
    std::vector<std::filesystem::path> groups{"/sys/fs/cgroup", "/sys/fs/cgroup/memory"};
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':'), second = line.find(":/", first == std::string::npos ? first : first + 1);
        if (second == std::string::npos) continue;
        const std::filesystem::path mount = mount_of(std::string_view(line).substr(first + 1, second - first - 1));
        if (mount.empty()) continue;
        for (std::filesystem::path group = line.substr(second + 2); !group.empty(); group = group.parent_path()) groups.push_back(mount / group);
    }
    return groups;
}

}  // namespace

std::int64_t memory_room(const std::filesystem::path& group) { return std::min(room_of(group, version_2), room_of(group, version_1)); }

std::int64_t memory_room_of_groups() {
    std::int64_t room = INT64_MAX;
    for (const std::filesystem::path& group : groups_of_this_process()) room = std::min(room, memory_room(group));
    return room;
}

}  // namespace temper
