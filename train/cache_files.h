// What runs keep in OUTPUT_DIR/cache to save later ones work: tokens of data sets, log probabilities of references.
#pragma once
#include <filesystem>

namespace temper {

// Says that a file is still of use.
void touch_cache(const std::filesystem::path& file);
// Removes those that no run has asked for in fourteen days: every other data set, length or template makes another file, and a night's rows are
// never asked for again.
void remove_unused_caches(const std::filesystem::path& directory);

}  // namespace temper
