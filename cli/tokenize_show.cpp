#include "cli/tokenize_show.h"

#include <cstdlib>

#include <unistd.h>

namespace temper {

std::string shown_row(const Tokenizer& tokenizer, const TokenRow& row, bool colours) {
    const auto text_to = [&](std::size_t end) { return tokenizer.decode(Span<const std::int32_t>(row.ids.data(), end), false); };
    std::string result, before;
    for (std::size_t begin = 0, end = 0; begin < row.ids.size(); begin = end) {
        while (end < row.ids.size() && row.supervised[end] == row.supervised[begin]) ++end;
        // What the stretch adds to the text so far: a decoder may treat the first token of all another way than the rest.
        const std::string whole = text_to(end);
        std::size_t same = 0;
        while (same < before.size() && same < whole.size() && before[same] == whole[same]) ++same;
        const std::string part = whole.substr(same);
        before = whole;
        if (colours) result += (row.supervised[begin] ? "\033[32m" : "\033[2m") + part + "\033[0m";
        else result += row.supervised[begin] ? "\xe2\x9f\xa6" + part + "\xe2\x9f\xa7" : part;
    }
    return result;
}

bool stdout_takes_colours() {
    const char *none = std::getenv("NO_COLOR"), *kind = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && !(none && *none) && kind && std::string(kind) != "dumb";
}

}  // namespace temper
