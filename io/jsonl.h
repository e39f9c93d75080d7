// Rows of a JSONL file, read as a stream: one object a line. UTF-8 is verified, depth and line length are capped, duplicate keys refused.
// Every error is bad_data and reads path:line:column: what was found, what was expected. Columns count bytes, from 1.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace temper {

using Json = nlohmann::ordered_json;

struct JsonLimits {
    std::size_t max_bytes = std::size_t(16) << 20;
    int max_depth = 64;
};
// One JSON document with those checks. `place` opens error messages: a place that names its line already ("data/train.jsonl:17") gets
// the column added, any other ("config.json") the line and the column. NaN, Infinity, numbers beyond double, NUL bytes, lone surrogates
// and anything behind the document are refused. A Json object finds a key by walking: go over large ones (a vocabulary) in order.
Json parse_json(std::string_view text, const std::string& place, const JsonLimits& limits = {});
// Offset of the first byte that is not valid UTF-8 (Unicode table 3-7), or npos.
std::size_t find_invalid_utf8(std::string_view text);

class JsonlReader {
  public:
    explicit JsonlReader(const std::filesystem::path& path, JsonLimits limits = {});
    bool next(Json& row);                        // false at the end; blank lines are skipped, a BOM and CRLF accepted
    std::int64_t line() const { return line_; }  // of the row last returned, from 1
    std::string place() const;                   // "path:line"

  private:
    bool read_line();
    bool fill();

    std::filesystem::path path_;
    JsonLimits limits_;
    std::ifstream file_;
    std::int64_t line_ = 0;
    std::string text_;      // the line in hand, without its end
    std::string buffer_;    // bytes read ahead
    std::size_t used_ = 0;  // of buffer_
};

}  // namespace temper
