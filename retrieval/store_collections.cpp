#include "retrieval/store_collections.h"

#include <algorithm>

#include "io/hdf5/hdf5_table.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace temper {

std::map<std::string, fs::path> store_collections(const fs::path& store, const std::vector<std::string>& categories) {
    const auto wanted = [&categories](const std::string& name) {
        return categories.empty() || std::find(categories.begin(), categories.end(), name) != categories.end();
    };
    std::map<std::string, fs::path> files;
    if (fs::is_regular_file(store)) {
        const std::string category = Hdf5TableReader(store).text_attribute("category");
        if (wanted(category)) files[category] = store;
        return files;
    }
    if (!fs::is_directory(store / "categories"))
        throw_error(ExitCode::missing_input, "{}: no folder categories in it; expected a directory that temper features filled, or a collection.h5",
                    store.string());
    for (const fs::directory_entry& entry : fs::directory_iterator(store / "categories")) {
        const std::string category = entry.path().filename().string();
        if (wanted(category) && fs::is_regular_file(entry.path() / "collection.h5")) files[category] = entry.path() / "collection.h5";
    }
    return files;
}

}  // namespace temper
