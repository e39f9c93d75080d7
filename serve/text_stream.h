// The text of an answer while it grows: what is certain is given out at once, and what may still change (half a character, bytes that stand for
// themselves, the begin of a stop text) is held back. Put together, the pieces are what the tokenizer decodes from all tokens, up to the first
// stop text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace temper {

class TextStream {
  public:
    TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops) : tokenizer_(tokenizer), stops_(std::move(stops)) {}

    // All tokens so far; `last`: no more will come. The piece of text that is now certain.
    std::string add(Span<const std::int32_t> ids, bool last);
    bool stopped() const { return stopped_; }          // a stop text was found: the answer ends before it
    const std::string& text() const { return text_; }  // certain so far

  private:
    std::string decoded(Span<const std::int32_t> ids, bool last);
    std::size_t certain_tokens(Span<const std::int32_t> ids) const;

    const Tokenizer& tokenizer_;
    std::vector<std::string> stops_;
    std::string text_, held_;  // held_: decoded, but a stop text may begin in it
    bool stopped_ = false;
    // Tokens from begin_ on are decoded, of whose text `taken_` bytes were seen before; from next_ on they are once enough of them have come.
    std::size_t begin_ = 0, next_ = 0, taken_ = 0;
};

}  // namespace temper
