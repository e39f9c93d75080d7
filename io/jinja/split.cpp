// str.split, rsplit and splitlines.
#include <algorithm>

#include "io/jinja/text.h"

namespace temper::jinja {

static std::size_t previous(std::string_view text, std::size_t at) {
    while (at > 0 && (static_cast<unsigned char>(text[--at]) & 0xC0) == 0x80) {}
    return at;
}

static std::vector<std::string_view> split_space_left(std::string_view text, std::int64_t most) {
    std::vector<std::string_view> parts;
    for (std::string_view rest = strip(text, Side::left); !rest.empty(); rest = strip(rest, Side::left)) {
        if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
            parts.push_back(rest);
            break;
        }
        std::size_t end = 0;
        while (end < rest.size() && !is_space(character_at(rest, end))) end += character_size(rest, end);
        parts.push_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    return parts;
}

static std::vector<std::string_view> split_space_right(std::string_view text, std::int64_t most) {
    std::vector<std::string_view> parts;
    for (std::string_view rest = strip(text, Side::right); !rest.empty(); rest = strip(rest, Side::right)) {
        if (static_cast<std::int64_t>(parts.size()) == most) {
            parts.push_back(rest);
            break;
        }
        std::size_t begin = rest.size();
        while (begin > 0 && !is_space(character_at(rest, previous(rest, begin)))) begin = previous(rest, begin);
        parts.push_back(rest.substr(begin));
        rest.remove_suffix(rest.size() - begin);
    }
    std::ranges::reverse(parts);
    return parts;
}

std::vector<std::string_view> split_space(std::string_view text, std::int64_t most, bool from_right) {
    return from_right && most >= 0 ? split_space_right(text, most) : split_space_left(text, most);
}

std::vector<std::string_view> split_by(std::string_view text, std::string_view separator, std::int64_t most, bool from_right) {
    std::vector<std::string_view> parts;
    const auto more = [&] { return most < 0 || static_cast<std::int64_t>(parts.size()) < most; };
    if (!from_right || most < 0) {
        for (std::size_t at; more() && (at = text.find(separator)) != std::string_view::npos;) {
            parts.push_back(text.substr(0, at));
            text.remove_prefix(at + separator.size());
        }
        parts.push_back(text);
        return parts;
    }
    for (std::size_t at; more() && (at = text.rfind(separator)) != std::string_view::npos;) {
        parts.push_back(text.substr(at + separator.size()));
        text.remove_suffix(text.size() - at);
    }
    parts.push_back(text);
    std::ranges::reverse(parts);
    return parts;
}

static bool is_line_end(char32_t c) { return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029; }

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
    std::vector<std::string_view> lines;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_size(text, at);
        if (!is_line_end(character_at(text, at))) {
            at += size;
            continue;
        }
        std::size_t next = at + size;
        if (text[at] == '\r' && next < text.size() && text[next] == '\n') ++next;
        lines.push_back(text.substr(start, (keep_ends ? next : at) - start));
        start = at = next;
    }
    if (start < text.size()) lines.push_back(text.substr(start));
    return lines;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    if (part.empty()) return character_count(text) + 1;
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

}  // namespace temper::jinja
