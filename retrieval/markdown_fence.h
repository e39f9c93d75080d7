// Which lines of Markdown are code: between fences of ``` or ~~~, or indented.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>

namespace temper {

class MarkdownFence {
  public:
    // Of the next line: whether it is a fence or stands between two.
    bool next(std::string_view line) {
        const std::size_t first = line.find_first_not_of(' ');
        const bool inside = marks_ > 0;
        if (first == std::string_view::npos || first > 3 || (line[first] != '`' && line[first] != '~')) return inside;
        const std::size_t end = line.find_first_not_of(line[first], first);
        const std::size_t marks = (end == std::string_view::npos ? line.size() : end) - first;
        if (!inside) {
            if (marks < 3 || (line[first] == '`' && line.find('`', first + marks) != std::string_view::npos)) return false;
            mark_ = line[first];
            marks_ = marks;
        } else if (line[first] == mark_ && marks >= marks_ && line.find_first_not_of(' ', first + marks) == std::string_view::npos) {
            marks_ = 0;
        }
        return true;
    }

  private:
    char mark_ = 0;
    std::size_t marks_ = 0;  // of the open fence
};

// Lines indented by four columns behind an empty line. Within an item of a list that is its text's indentation, and code is four columns deeper.
class MarkdownIndent {
  public:
    // Of the next line that no fence holds: whether it is code.
    bool next(std::string_view line) {
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos) {
            after_blank_ = true;
            return false;
        }
        const std::size_t indent = columns(line.substr(0, first));
        const bool code = indent >= text_ + 4 && (after_blank_ || in_code_);
        const std::size_t marker = code ? 0 : marker_width(line.substr(first));
        const bool interrupts = after_blank_ || line[first] == '#';
        if (!code && marker == 0 && interrupts && indent < text_) text_ = indent >= 2 ? indent : 0;
        if (marker > 0) text_ = indent + marker;
        in_code_ = code;
        after_blank_ = false;
        return code;
    }

  private:
    static std::size_t columns(std::string_view blanks) {
        std::size_t column = 0;
        for (const char c : blanks) column = c == '\t' ? column / 4 * 4 + 4 : column + 1;
        return column;
    }
    // "- ", "* ", "+ ", "12. ", "3) " and the blanks behind it; 0 for other lines.
    static std::size_t marker_width(std::string_view line) {
        std::size_t end = line.find_first_not_of("0123456789");
        if (end == std::string_view::npos || end > 9) return 0;
        const std::string_view marks = end == 0 ? "-*+" : ".)";
        if (marks.find(line[end]) == std::string_view::npos) return 0;
        ++end;
        const std::size_t text = std::min(line.find_first_not_of(' ', end), line.size());
        if (text == end && end < line.size()) return 0;
        return text - end > 4 ? end + 1 : text;
    }

    std::size_t text_ = 0;  // column at which the text of the innermost item begins; 0 outside lists
    bool after_blank_ = true, in_code_ = false;
};

}  // namespace temper
