#include "serve/text_stream.h"

#include <algorithm>

namespace temper {
namespace {

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

std::string TextStream::add(Span<const std::int32_t> ids, bool last) {
    std::string all = tokenizer_.decode(ids, true);
    if (!last) all.resize(without_half_characters(all));
    std::size_t end = all.size();
    for (const std::string& stop : stops_)
        if (const std::size_t found = all.find(stop); found < end) end = found, stopped_ = true;
    if (!stopped_ && !last) end -= begun_stop(all, stops_);
    // A decoder that goes back on earlier text (WordPiece's cleanup) cannot be followed: what was given out stays.
    const std::size_t given = text_.size();
    if (end <= given && !last && !stopped_) return "";
    text_ = all.substr(0, end);
    return end > given ? text_.substr(given) : "";
}

}  // namespace temper
