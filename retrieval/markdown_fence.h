// Which lines of Markdown are code between fences of ``` or ~~~.
#pragma once
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

}  // namespace temper
