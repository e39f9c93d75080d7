#include "serve/text_stream.h"

#include <algorithm>

#include "io/tokenizer/token_decoder.h"

namespace temper {
namespace {

// What a token's text takes from those before it (a space that only the first of all loses) is settled within so many.
constexpr std::size_t tokens_of_context = 8;

// A character whose bytes are spread over tokens reads as U+FFFD until the last has come.
std::size_t without_half_characters(std::string_view text) {
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    while (text.ends_with(replacement)) text.remove_suffix(replacement.size());
    return text.size();
}

// Length of the longest end of the text that a stop text may begin with.
std::size_t begun_stop(std::string_view text, const std::vector<std::string>& stops) {
    std::size_t longest = 0;
    for (const std::string& stop : stops)
        for (std::size_t length = std::min(stop.size() - 1, text.size()); length > longest; --length)
            if (text.ends_with(std::string_view(stop).substr(0, length))) longest = length;
    return longest;
}

}  // namespace

// A run of byte tokens is text as a whole or not at all: a further one may turn all of it into U+FFFD.
std::size_t TextStream::certain_tokens(Span<const std::int32_t> ids) const {
    std::size_t count = ids.size();
    while (count > next_ && (tokenizer_.is_special(ids[count - 1]) || tok::fallback_byte(tokenizer_.token_of(ids[count - 1])) >= 0)) --count;
    return count;
}

// The text that is certain beyond what it was before.
std::string TextStream::decoded(Span<const std::int32_t> ids, bool last) {
    const std::size_t end = last ? ids.size() : certain_tokens(ids);
    const auto text_from = [&](std::size_t begin) { return tokenizer_.decode({ids.data() + begin, end - begin}, true); };
    std::string text = text_from(begin_);
    const std::size_t certain = last ? text.size() : without_half_characters(text);
    const bool whole = certain == text.size();
    text.resize(certain);
    const std::string piece = text.substr(std::min(taken_, certain));
    taken_ = std::max(taken_, certain);
    if (whole && !piece.empty() && end - next_ >= tokens_of_context) {
        begin_ = next_;
        next_ = end;
        taken_ = text_from(begin_).size();
    }
    return piece;
}

std::string TextStream::add(Span<const std::int32_t> ids, bool last) {
    held_ += decoded(ids, last);
    std::size_t end = held_.size();
    for (const std::string& stop : stops_)
        if (const std::size_t found = held_.find(stop); found < end) end = found, stopped_ = true;
    if (!stopped_ && !last) end -= begun_stop(held_, stops_);
    const std::string piece = held_.substr(0, end);
    held_.erase(0, end);
    text_ += piece;
    return piece;
}

}  // namespace temper
