// Rows of a data file one after the other, whatever the file is: JSONL (.jsonl, and every name not listed here), a JSON array (.json),
// CSV or TSV (.csv, .tsv), each also as .gz or .zst, or Arrow (.arrow, or a directory that datasets' save_to_disk wrote).
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Opened by its name, a packed one by the name below .gz or .zst. usage for Parquet, which is named with what to do;
// missing_input when there is nothing of that name.
std::unique_ptr<RowSource> open_rows(const std::filesystem::path& path, const JsonLimits& limits = {});
// "JSONL", "JSON", "CSV", "TSV", "Arrow", with ", gzip" or ", zstd" behind it.
std::string row_format(const std::filesystem::path& path);
// SHA-256 of a file; of a directory that of its data files' hashes, in their order.
std::string rows_sha256(const std::filesystem::path& path);
// The Arrow files of a directory of save_to_disk, in the order that its state.json gives; bad_data or missing_input when it is none.
std::vector<std::filesystem::path> arrow_files(const std::filesystem::path& directory);

}  // namespace temper
