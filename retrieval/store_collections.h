// The collections of a directory that `temper features` filled: DIR/categories/<category>/collection.h5, or one such file itself.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace temper {

// Sorted by category; only the named ones where any are named, of which one that is absent is an empty one and left out here. missing_input when
// `store` is neither such a directory nor a file.
std::map<std::string, std::filesystem::path> store_collections(const std::filesystem::path& store, const std::vector<std::string>& categories);

}  // namespace temper
