#include "io/folder_listing.h"

#include "kernels/error.h"

namespace temper {

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> entries;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    if (error == std::errc::no_such_file_or_directory) return entries;
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) entries.push_back(entry->path());
    if (error) throw_error(ExitCode::io_error, "{}: cannot be listed: {}; try again when it can be read", folder.string(), error.message());
    return entries;
}

}  // namespace temper
