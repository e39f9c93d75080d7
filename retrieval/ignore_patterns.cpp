#include "retrieval/ignore_patterns.h"

#include <algorithm>

namespace temper {
namespace {

// A class "[a-z]" at the pattern's begin: its length, and whether it holds the character; nothing when no bracket closes it.
std::optional<std::size_t> match_class(std::string_view pattern, char c, bool& holds) {
    std::size_t i = 1;
    const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (negated) ++i;
    holds = false;
    for (bool first = true; i < pattern.size(); first = false, ++i) {
        if (pattern[i] == ']' && !first) {
            holds = holds != negated;
            return i + 1;
        }
        if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
        const char low = pattern[i];
        char high = low;
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            i += 2;
            if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
            high = pattern[i];
        }
        holds = holds || (low <= c && c <= high);
    }
    return std::nullopt;
}

// One step of a pattern that is no star: its length where it takes the character, else nothing.
std::optional<std::size_t> match_one(std::string_view pattern, char c) {
    if (pattern.empty()) return std::nullopt;
    if (pattern[0] == '?') return c != '/' ? std::optional<std::size_t>(1) : std::nullopt;
    if (pattern[0] == '[') {
        bool holds = false;
        if (const auto length = match_class(pattern, c, holds)) return holds && c != '/' ? length : std::nullopt;
    }
    if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? std::optional<std::size_t>(2) : std::nullopt;
    return pattern[0] == c ? std::optional<std::size_t>(1) : std::nullopt;
}

std::string_view trimmed_pattern(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
    return line;
}

}  // namespace

// The places of the pattern that the path so far can have led to, moved on by each character: no input makes it slow.
bool matches_wildcard(std::string_view pattern, std::string_view path) {
    if (pattern.size() > 4096) return false;
    std::vector<char> now(pattern.size() + 1, 0), next;
    // What can be passed without a character: stars, and "**/" at the begin of a part.
    const auto open = [&](std::vector<char>& places, bool part_begins) {
        for (std::size_t p = 0; p < pattern.size(); ++p) {
            if (places[p] == 0 || pattern[p] != '*') continue;
            const bool part = p == 0 || pattern[p - 1] == '/';
            if (pattern.substr(p, 2) == "**" && part && p + 2 < pattern.size() && pattern[p + 2] == '/') {
                if (part_begins) places[p + 3] = 1;
            } else if (pattern.substr(p, 2) == "**") {
                places[p + 2] = 1;
            } else {
                places[p + 1] = 1;
            }
        }
    };
    now[0] = 1;
    open(now, true);
    for (const char c : path) {
        next.assign(pattern.size() + 1, 0);
        for (std::size_t p = 0; p < pattern.size(); ++p) {
            if (now[p] == 0) continue;
            if (pattern[p] == '*') {
                const bool part = p == 0 || pattern[p - 1] == '/';
                const bool crosses = pattern.substr(p, 2) == "**" && part && (p + 2 == pattern.size() || pattern[p + 2] == '/');
                if (crosses || c != '/') next[p] = 1;
            } else if (const auto length = match_one(pattern.substr(p), c)) {
                next[p + *length] = 1;
            }
        }
        open(next, c == '/');
        now.swap(next);
    }
    return now[pattern.size()] != 0;
}

void IgnorePatterns::add(std::string_view lines, const std::string& base) {
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        std::string_view line = trimmed_pattern(lines.substr(0, end));
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (line.empty() || line[0] == '#') continue;
        Pattern pattern;
        pattern.base = base;
        if (line[0] == '!') {
            pattern.negated = true;
            line.remove_prefix(1);
        }
        if (line.ends_with('/')) {
            pattern.folders_only = true;
            line.remove_suffix(1);
        }
        pattern.anchored = line.find('/') != std::string_view::npos;
        if (line.starts_with('/')) line.remove_prefix(1);
        if (line.empty()) continue;
        pattern.text = line;
        patterns_.push_back(std::move(pattern));
    }
}

std::optional<bool> IgnorePatterns::verdict(std::string_view path, bool is_folder) const {
    for (auto pattern = patterns_.rbegin(); pattern != patterns_.rend(); ++pattern) {
        if (pattern->folders_only && !is_folder) continue;
        std::string_view below = path;
        if (!pattern->base.empty()) {
            if (!path.starts_with(pattern->base) || path.size() <= pattern->base.size() || path[pattern->base.size()] != '/') continue;
            below.remove_prefix(pattern->base.size() + 1);
        }
        if (!pattern->anchored) below = below.substr(below.rfind('/') == std::string_view::npos ? 0 : below.rfind('/') + 1);
        if (matches_wildcard(pattern->text, below)) return !pattern->negated;
    }
    return std::nullopt;
}

bool IgnorePatterns::matches_within(std::string_view path) const {
    for (bool is_folder = false;; is_folder = true) {
        if (const std::optional<bool> known = verdict(path, is_folder)) return *known;
        const std::size_t slash = path.rfind('/');
        if (slash == std::string_view::npos) return false;
        path = path.substr(0, slash);
    }
}

}  // namespace temper
