// Rows as lists of token ids, in a cache file named by the hash of everything that decides them and memory-mapped from there: what the data
// sets of all kinds stand on. Internal to train/.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/comm/comm.h"
#include "kernels/span.h"
#include "train/data_report.h"

namespace temper {

struct TokenTable {
    explicit TokenTable(std::int64_t lists) : lists_of_row(lists) {}
    std::int64_t lists_of_row;             // 1: the row; 2: prompt, completion; 3: prompt, chosen, rejected
    std::vector<std::int64_t> offsets{0};  // of the lists, rows * lists_of_row + 1
    std::vector<std::int64_t> lines;       // file index * 2^40 + line, a row
    std::vector<std::int32_t> ids;
    std::vector<std::uint8_t> marks;  // one a token, one a row, or none, as the kind of rows has it
    DataReport report;
    std::vector<DataSource> sources;
    std::string template_sha256;

    std::int64_t rows() const { return static_cast<std::int64_t>(lines.size()); }
    void add_list(Span<const std::int32_t> list);
};

class TokenFile {
  public:
    // Rank 0 builds and writes the file where there is none of this key; the others wait and map it. `build` calls its argument now and then.
    static TokenFile open(const std::filesystem::path& directory, const std::string& key, Comm& comm,
                          const std::function<TokenTable(const std::function<void()>& alive)>& build);
    static TokenFile in_memory(const TokenTable& table);
    TokenFile(TokenFile&&) noexcept;
    TokenFile& operator=(TokenFile&&) noexcept;
    ~TokenFile();

    std::int64_t rows() const;
    std::int64_t lists_of_row() const;
    Span<const std::int32_t> list(std::int64_t row, std::int64_t which) const;
    std::int64_t begin(std::int64_t row) const;  // of its first list, in the ids of all; rows() is the end
    const std::uint8_t* marks() const;
    std::string source_line(std::int64_t row) const;  // "data/train.jsonl:17"
    const DataReport& report() const;
    const std::vector<DataSource>& sources() const;
    const std::string& template_sha256() const;
    const std::string& key() const;

  private:
    struct Impl;
    explicit TokenFile(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
