// Tokenised rows of a data set: read and checked once, kept in a cache file named by the hash of everything that decides them, and
// memory-mapped from there, so that every rank and every later run starts at once.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/comm/comm.h"
#include "io/jsonl.h"
#include "io/tokenizer.h"
#include "kernels/span.h"
#include "train/config.h"
#include "train/row_encoder.h"

namespace temper {

struct DataReport {
    std::int64_t rows = 0;       // read
    std::int64_t kept = 0;       // trained on, each time that a row is drawn
    std::int64_t not_drawn = 0;  // left out by a weight below 1
    std::int64_t repeated = 0;   // drawn once more by a weight above 1
    std::int64_t tokens = 0, supervised = 0;
    std::int64_t truncated = 0, tokens_cut = 0;
    std::int64_t dropped_overlong = 0;      // on_overlong: drop
    std::int64_t dropped_unsupervised = 0;  // nothing left to learn from
    std::int64_t no_end_token = 0;          // last supervised token is not an end token: the model will not learn to stop
    std::int64_t several_bos = 0;           // rows with more than one BOS
    std::int64_t longest = 0;
};

struct DataSource {
    std::string path, sha256;
    std::int64_t rows = 0;                      // read
    std::string format;                         // "JSONL, gzip"
    std::map<std::string, std::int64_t> forms;  // rows of each form that was recognised: "messages", "ShareGPT", "Alpaca as text" ...
};

class TokenDataset {
  public:
    struct Request {
        std::vector<DataFile> files;
        std::string role;  // "train" | "eval", for messages
        std::string model;
        std::int64_t max_length = 1024;
        std::string on_overlong;
        bool completion_only_loss = true, assistant_only_loss = false;
        std::string chat_template;  // source; empty takes the tokenizer's
        double val_size = 0;        // data.val_size: above 0 the files are split, and role says which side is wanted
        std::uint64_t val_seed = 0;
        std::vector<std::int32_t> end_ids;
        bool sample = false;  // the files' first rows stand for all: a column that they lack may come later
        std::filesystem::path cache_directory;
    };
    // Rank 0 reads and writes the cache; the others wait and map it. bad_data when nothing is supervised.
    static TokenDataset open(const Request& request, const Tokenizer& tokenizer, Comm& comm);
    // Rows that are tokens already; nothing is cached.
    static TokenDataset from_rows(const std::vector<TokenRow>& rows);
    TokenDataset(TokenDataset&&) noexcept;
    ~TokenDataset();

    std::int64_t rows() const;
    std::int64_t length(std::int64_t row) const;  // tokens
    Span<const std::int32_t> ids(std::int64_t row) const;
    Span<const std::uint8_t> supervised(std::int64_t row) const;  // as long as ids
    std::int64_t labels(std::int64_t row) const;                  // supervised tokens but the first of the row, which nothing predicts
    std::string source_line(std::int64_t row) const;              // "data/train.jsonl:17"
    const DataReport& report() const;
    const std::vector<DataSource>& sources() const;
    const std::string& template_sha256() const;  // of the chat template in force, empty when there is none
    const std::string& hash() const;             // of what decides the tokens; the cache key

  private:
    struct Impl;
    explicit TokenDataset(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

std::vector<std::int64_t> lengths_of(const TokenDataset& data);
// What data.chat_template says: the template itself, or the text of the file that it names; empty when it is not given.
std::string chat_template_text(const DataConfig& data);
// The report with a list of the files, as the record and a dry run hold it.
Json data_report(const TokenDataset& data);

}  // namespace temper
