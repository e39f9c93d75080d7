#include "retrieval/html_writer.h"

#include <algorithm>

namespace temper {

void HtmlWriter::break_line(bool blank) {
    space_ = false;
    breaks_ = std::max(breaks_, blank ? 2 : 1);
}

// Marks wait for words: an empty heading or item leaves nothing. The second of two marks is a block within an item, which needs none.
void HtmlWriter::mark(const std::string& mark) { mark_ = mark; }

void HtmlWriter::put(std::string_view text) {
    if (!out_.empty()) out_.append(static_cast<std::size_t>(breaks_), '\n');
    breaks_ = 0;
    out_ += mark_;
    mark_.clear();
    out_ += text;
}

void HtmlWriter::words(std::string_view text) {
    constexpr std::string_view blanks = " \t\n\r\f";
    while (!text.empty()) {
        if (blanks.find(text[0]) != std::string_view::npos) {
            space_ = breaks_ == 0 && mark_.empty() && !out_.empty();
            text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
            continue;
        }
        const std::size_t end = std::min(text.find_first_of(blanks), text.size());
        if (space_) out_ += ' ';
        space_ = false;
        put(text.substr(0, end));
        text.remove_prefix(end);
    }
}

void HtmlWriter::verbatim(std::string_view code) {
    while (!code.empty() && (code[0] == '\n' || code[0] == '\r')) code.remove_prefix(1);
    while (!code.empty() && (code.back() == '\n' || code.back() == ' ' || code.back() == '\r')) code.remove_suffix(1);
    if (code.empty()) return;
    std::string fence = "```";
    while (code.find(fence) != std::string_view::npos) fence += '`';
    mark_.clear();
    break_line(true);
    put(fence + "\n");
    out_ += code;
    out_ += "\n" + fence;
    break_line(true);
}

std::string HtmlWriter::take() {
    if (!out_.empty()) out_ += '\n';
    return std::move(out_);
}

}  // namespace temper
