// Rows of a JSONL file, read as a stream: one object a line. UTF-8 is verified, depth and line length are capped, duplicate keys refused.
// Every error is bad_data and reads path:line:column: what was found, what was expected. Columns count bytes, from 1.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "io/byte_source.h"

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

// Rows in order. io/rows/row_source.h opens any kind of file.
class RowSource {
  public:
    virtual ~RowSource() = default;
    virtual bool next(Json& row) = 0;       // false at the end
    virtual std::int64_t line() const = 0;  // of the row last returned, from 1: its line, or its number where there are no lines
    virtual std::string place() const = 0;  // "path:line"
    // Passes over a row without looking into it where that can be; about its size in bytes, -1 at the end.
    virtual std::int64_t skip();
};

// Blank lines are skipped, a BOM and CRLF accepted; .gz and .zst are unpacked.
class JsonlReader final : public RowSource {
  public:
    explicit JsonlReader(const std::filesystem::path& path, JsonLimits limits = {});
    bool next(Json& row) override;
    std::int64_t line() const override { return line_; }
    std::string place() const override;
    std::int64_t skip() override;

  private:
    bool read_line();
    bool read_row();  // a line with something in it
    bool fill();

    std::filesystem::path path_;
    JsonLimits limits_;
    std::unique_ptr<ByteSource> file_;
    std::int64_t line_ = 0;
    std::string text_;      // the line in hand, without its end
    std::string buffer_;    // bytes read ahead
    std::size_t used_ = 0;  // of buffer_
};

}  // namespace temper
