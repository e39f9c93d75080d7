// Texts as rows of token ids: special tokens around them, cut to what the model takes. One tokenizer serves many threads.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace temper {

// Rows of ids laid end to end.
struct TokenRows {
    std::vector<std::int32_t> ids, types;  // types: one an id where any row has some, else empty
    std::vector<std::int64_t> ends;        // of each row
    std::vector<std::int32_t> skipped;     // tokens that open a row and are not pooled; empty: none

    std::size_t size() const { return ends.size(); }
    std::int64_t begin(std::size_t row) const { return row == 0 ? 0 : ends[row - 1]; }
    std::int64_t length(std::size_t row) const { return ends[row] - begin(row); }
    void clear();
    void append(const TokenRows& from, std::size_t first, std::size_t count);  // those rows of another
};
TokenRows one_token();  // a row of the first token of any vocabulary, for rehearsals

class TextRows {
  public:
    // At most `limit` tokens a row, special ones included: usage when these leave no room.
    TextRows(Tokenizer tokenizer, std::int64_t limit);

    const Tokenizer& tokenizer() const { return tokenizer_; }
    std::int64_t limit() const { return limit_; }
    // Appends a row; true when the text was cut. `skipped` tokens at its begin are not pooled.
    bool add(std::string_view text, TokenRows& rows, std::int32_t skipped = 0) const;
    // Two texts as one row; the longer is cut first. bad_data when the tokenizer does not say how two texts go together.
    bool add_pair(std::string_view first, std::string_view second, TokenRows& rows) const;
    // Tokens that a prompt takes at the begin of a row, special ones before it included.
    std::int32_t prompt_tokens(std::string_view prompt) const;

  private:
    void cut(std::vector<std::int32_t>& ids, std::size_t length) const;
    Tokenizer tokenizer_;
    std::int64_t limit_;
    std::size_t pair_specials_ = 0;
    bool types_ = true;          // the model is told token types
    bool cut_at_begin_ = false;  // truncation_side: left
};

}  // namespace temper
