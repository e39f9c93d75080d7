// Keeps what a conversation says apart from what its template says. Where a content spells a special token, or a part of one at its ends
// that the text around it could complete, a mark is put behind a letter of it: a character that stands for nothing and occurs nowhere
// else. The rendered text loses the marks again, and their places are the barriers that Tokenizer::Options takes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class ChatGuard {
  public:
    // What will be guarded, so that the mark is in none of it: bad_data where every candidate is taken.
    ChatGuard(std::vector<std::string> special_tokens, const Json& messages, const Json& variables, std::string_view source);

    Json messages(const Json& messages) const;    // every text of a message but its role
    Json variables(const Json& variables) const;  // those of tools and documents
    struct Taken {
        std::vector<std::size_t> marks;     // behind each mark, in the text that still had them
        std::vector<std::size_t> barriers;  // in the text without marks: places before which a byte of content stands
        std::size_t mark_size = 0;
        // Where a place of the text with marks is without them.
        std::size_t without(std::size_t at) const;
    };
    Taken take_marks(std::string& text) const;  // out of a rendered text

  private:
    Json guarded(const Json& value) const;
    std::string guarded(const std::string& text, bool ends) const;

    std::vector<std::string> tokens_;
    std::string mark_;
};

}  // namespace temper
