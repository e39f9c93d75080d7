#include <algorithm>

#include "io/text.h"
#include "retrieval/boundaries.h"
#include "retrieval/markdown_fence.h"

namespace temper {
namespace {

// "## Title ##" has level 2; 0 for other lines.
int read_heading(std::string_view line, std::string_view& title) {
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string_view::npos || first > 3 || line[first] != '#') return 0;
    std::size_t end = line.find_first_not_of('#', first);
    if (end == std::string_view::npos) end = line.size();
    if (end - first > 6 || (end < line.size() && line[end] != ' ' && line[end] != '\t')) return 0;
    title = trimmed(line.substr(end), " \t");
    const std::size_t closing = title.find_last_not_of('#');
    if (closing != std::string_view::npos && closing + 1 < title.size() && title[closing] == ' ') title = trimmed(title.substr(0, closing), " \t");
    return static_cast<int>(end - first);
}

// 1 under a line of =, 2 under one of -; 0 for other lines.
int underline_level(std::string_view line) {
    line = trimmed(line, " \t");
    if (line.size() < 2 || (line[0] != '=' && line[0] != '-') || line.find_first_not_of(line[0]) != std::string_view::npos) return 0;
    return line[0] == '=' ? 1 : 2;
}

}  // namespace

std::vector<Heading> find_headings(std::string_view text) {
    std::vector<Heading> headings;
    MarkdownFence fence;
    std::string_view previous;  // the line before, where it may be the title of an underlined heading
    std::size_t previous_place = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        std::string_view title;
        if (fence.next(line)) {
            previous = {};
        } else if (const int level = read_heading(line, title); level > 0) {
            if (!title.empty()) headings.push_back({begin, level, std::string(title)});
            previous = {};
        } else if (const int under = underline_level(line); under > 0 && !previous.empty()) {
            headings.push_back({previous_place, under, std::string(previous)});
            previous = {};
        } else {
            const bool first_of_paragraph = begin == 0 || (begin >= 2 && text[begin - 2] == '\n');
            previous = first_of_paragraph && !line.empty() && line[0] != ' ' && line[0] != '\t' && line[0] != '-' ? trimmed(line, " \t")
                                                                                                                  : std::string_view();
            previous_place = begin;
        }
        begin = end + 1;
    }
    return headings;
}

std::string heading_path(const std::vector<Heading>& headings, std::size_t place) {
    std::vector<const Heading*> open;
    for (const Heading& heading : headings) {
        if (heading.place > place) break;
        while (!open.empty() && open.back()->level >= heading.level) open.pop_back();
        open.push_back(&heading);
    }
    std::string path;
    for (const Heading* heading : open) path += (path.empty() ? "" : " > ") + heading->text;
    return path;
}

}  // namespace temper
