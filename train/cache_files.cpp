#include "train/cache_files.h"

#include <chrono>
#include <string>

namespace temper {

namespace fs = std::filesystem;

void touch_cache(const fs::path& file) {
    std::error_code ignored;
    fs::last_write_time(file, fs::file_time_type::clock::now(), ignored);
}

void remove_unused_caches(const fs::path& directory) {
    constexpr auto kept = std::chrono::hours(24 * 14);
    const auto now = fs::file_time_type::clock::now();
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        const bool ours = (name.starts_with("tokens-") && name.ends_with(".bin")) || (name.starts_with("reference-") && name.ends_with(".h5"));
        std::error_code unknown;
        const auto used = ours ? fs::last_write_time(entry->path(), unknown) : now;
        if (!unknown && now - used > kept) fs::remove(entry->path(), unknown);
    }
}

}  // namespace temper
