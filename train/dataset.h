// Tokenised rows of a data set: read and checked once, kept in a cache file named by the hash of everything that decides them, and
// memory-mapped from there, so that every rank and every later run starts at once.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/comm/comm.h"
#include "io/tokenizer/tokenizer.h"
#include "kernels/span.h"
#include "train/batching.h"
#include "train/data_report.h"
#include "train/data_request.h"
#include "train/row_encoder.h"
#include "train/token_file.h"

namespace temper {

class TokenDataset {
  public:
    using Request = DataRequest;
    // Rank 0 reads and writes the cache; the others wait and map it. bad_data when nothing is supervised.
    static TokenDataset open(const Request& request, const Tokenizer& tokenizer, Comm& comm);
    // Rows that are tokens already; nothing is cached.
    static TokenDataset from_rows(const std::vector<TokenRow>& rows);

    std::int64_t rows() const { return file_.rows(); }
    std::int64_t length(std::int64_t row) const { return static_cast<std::int64_t>(ids(row).size()); }  // tokens
    Span<const std::int32_t> ids(std::int64_t row) const { return file_.list(row, 0); }
    Span<const std::uint8_t> supervised(std::int64_t row) const { return {file_.marks() + file_.begin(row), ids(row).size()}; }
    std::int64_t labels(std::int64_t row) const;  // supervised tokens but the first of the row, which nothing predicts
    std::string source_line(std::int64_t row) const { return file_.source_line(row); }  // "data/train.jsonl:17"
    const DataReport& report() const { return file_.report(); }
    const std::vector<DataSource>& sources() const { return file_.sources(); }
    const std::string& template_sha256() const { return file_.template_sha256(); }  // of the chat template in force, empty when there is none
    const std::string& hash() const { return file_.key(); }                         // of what decides the tokens; the cache key

  private:
    explicit TokenDataset(TokenFile file) : file_(std::move(file)) {}
    TokenFile file_;
};

template <class Data> std::vector<RowSize> sizes_of(const Data& data) {
    std::vector<RowSize> sizes;
    for (std::int64_t row = 0; row < data.rows(); ++row) sizes.push_back({data.length(row), data.labels(row)});
    return sizes;
}

}  // namespace temper
