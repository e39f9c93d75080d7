// The regular expressions of tokenizer.json. They are written for Oniguruma (Ruby syntax) and run here on PCRE2; what the two would
// read differently is rewritten (classes, Unicode version, {,n}) or refused.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/text_pieces.h"

namespace temper::tok {

// The PCRE2 pattern that matches what the Oniguruma pattern does; bad_data naming what is not understood, `place` opens the message.
std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& place);
std::string escape_literal(std::string_view text);  // an Oniguruma pattern for just this text

class Regex {
  public:
    Regex(std::string_view pattern, const std::string& place);
    static Regex of_literal(const std::string& text, const std::string& place);
    const std::string& literal() const { return literal_; }  // what the pattern matches, where that is one text; else empty
    // All matches and the text between them, in order. Thread-safe. The text is valid UTF-8.
    void find_all(std::string_view text, std::vector<Match>& matches) const;

  private:
    std::shared_ptr<const void> code_;  // pcre2_code
    std::string literal_;               // what the pattern matches, where that is one text
    std::string place_;
};

}  // namespace temper::tok
