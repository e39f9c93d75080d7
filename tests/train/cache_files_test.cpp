#include "train/cache_files.h"

#include <chrono>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

TEST(CacheFiles, AreRemovedWhenNoRunHasAskedForThem) {
    const TemporaryDirectory directory;
    const auto aged = [&](const char* name, int days) {
        const fs::path path = directory.put(name, "bytes");
        fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(24 * days));
        return path;
    };
    const fs::path old = aged("tokens-1.bin", 15), used = aged("tokens-2.bin", 15), young = aged("tokens-3.bin", 13);
    const fs::path scores = aged("reference-1.h5", 15), other = aged("notes.txt", 400);
    touch_cache(used);
    touch_cache(directory / "absent");
    remove_unused_caches(directory.path());
    EXPECT_FALSE(fs::exists(old));
    EXPECT_FALSE(fs::exists(scores));
    for (const fs::path& kept : {used, young, other}) EXPECT_TRUE(fs::exists(kept)) << kept;
    remove_unused_caches(directory / "absent");
}

}  // namespace
}  // namespace temper
