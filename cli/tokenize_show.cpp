#include "cli/tokenize_show.h"

#include <unistd.h>

#include "io/environment.h"

namespace temper {
namespace {

// What `whole` has behind the text before it: a decoder may treat the first token of all another way than the rest.
std::string added(const std::string& before, const std::string& whole) {
    std::size_t same = 0;
    while (same < before.size() && same < whole.size() && before[same] == whole[same]) ++same;
    return whole.substr(same);
}

std::string marked(const std::string& text, const char* colour, bool colours) {
    return colours ? colour + text + "\033[0m" : "\xe2\x9f\xa6" + text + "\xe2\x9f\xa7";
}

}  // namespace

std::string shown_row(const Tokenizer& tokenizer, const TokenRow& row, bool colours) {
    const auto text_to = [&](std::size_t end) { return tokenizer.decode(Span<const std::int32_t>(row.ids.data(), end), false); };
    std::string result, before;
    for (std::size_t begin = 0, end = 0; begin < row.ids.size(); begin = end) {
        while (end < row.ids.size() && row.supervised[end] == row.supervised[begin]) ++end;
        const std::string whole = text_to(end), part = added(before, whole);
        before = whole;
        if (row.supervised[begin] != 0) result += marked(part, "\033[32m", colours);
        else result += colours ? "\033[2m" + part + "\033[0m" : part;
    }
    return result;
}

std::string shown_preference(const Tokenizer& tokenizer, const PreferenceRow& row, bool colours) {
    const std::string prompt = tokenizer.decode(row.prompt, false);
    std::string result = colours ? "\033[2m" + prompt + "\033[0m" : prompt;
    for (std::size_t i = 0; i < row.answers.size(); ++i) {
        const bool preferred = i == 0 && row.label;
        std::vector<std::int32_t> ids = row.prompt;
        ids.insert(ids.end(), row.answers[i].begin(), row.answers[i].end());
        result += row.answers.size() == 2 ? preferred ? "\nchosen    " : "\nrejected  " : preferred ? "\ndesirable    " : "\nundesirable  ";
        result += marked(added(prompt, tokenizer.decode(ids, false)), preferred ? "\033[32m" : "\033[31m", colours);
    }
    return result;
}

bool stdout_takes_colours() {
    const std::string kind = environment_text("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && environment_text("NO_COLOR").empty() && !kind.empty() && kind != "dumb";
}

}  // namespace temper
