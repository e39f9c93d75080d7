// JSONL files of what a person may want to read. Internal to retrieval/.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/jsonl.h"

namespace temper {

inline std::string line_of(const Json& row) { return json_text(row) + "\n"; }

// `count` lines; without any there is no file.
inline void write_lines(const std::filesystem::path& path, std::size_t count, const Producer& produce) {
    if (count > 0) write_durable(path, produce);
    else std::filesystem::remove(path);
}

}  // namespace temper
