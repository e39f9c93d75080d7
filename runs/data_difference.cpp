#include "runs/data_difference.h"

#include <array>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "io/json_text.h"
#include "io/rows/row_source.h"

namespace temper {
namespace {

constexpr std::size_t most_characters = 300;  // of an example

// A row's number in its file, and two hashes of 64 bits: of all of it, and of what names it (0: nothing does).
struct Mark {
    std::int64_t number = 0;
    std::uint64_t row = 0, name = 0;
};

// Of the row with sorted keys: their order is no difference.
std::uint64_t hash_of(const Json& value) {
    return std::hash<std::string>{}(nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::uint64_t name_of(const Json& row) {
    if (!row.is_object()) return 0;
    for (const char* key : {"id", "doc_id", "prompt", "question", "query"})
        if (const auto at = row.find(key); at != row.end() && !at->is_null()) return hash_of(*at) | 1;
    if (const auto at = row.find("messages"); at != row.end() && at->is_array() && at->size() > 1) {
        Json first = *at;
        first.erase(first.size() - 1);
        return hash_of(first) | 1;
    }
    return 0;
}

std::vector<Mark> marks_of(const std::filesystem::path& path) {
    std::vector<Mark> marks;
    const auto rows = open_rows(path);
    for (Json row; rows->next(row);) marks.push_back({static_cast<std::int64_t>(marks.size()), hash_of(row), name_of(row)});
    return marks;
}

// Rows of `marks` that `other` has not, in order.
std::vector<Mark> without(const std::vector<Mark>& marks, const std::vector<Mark>& other) {
    std::unordered_map<std::uint64_t, std::int64_t> count;
    for (const Mark& mark : other) ++count[mark.row];
    std::vector<Mark> left;
    for (const Mark& mark : marks)
        if (const auto at = count.find(mark.row); at == count.end() || at->second-- <= 0) left.push_back(mark);
    return left;
}

// Texts of the rows with these numbers.
std::map<std::int64_t, std::string> texts_of(const std::filesystem::path& path, const std::vector<std::int64_t>& numbers) {
    std::map<std::int64_t, std::string> texts;
    for (const std::int64_t number : numbers) texts[number];
    const auto rows = open_rows(path);
    std::int64_t at = 0;
    std::size_t found = 0;
    for (Json row; found < texts.size() && rows->next(row); ++at) {
        const auto wanted = texts.find(at);
        if (wanted == texts.end()) continue;
        wanted->second = json_text(row);
        ++found;
    }
    return texts;
}

// No more than fits a line, cut between characters.
std::string shortened(const std::string& text, std::size_t from) {
    const auto inside = [&](std::size_t at) { return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
    while (from > 0 && inside(from)) --from;
    std::size_t end = std::min(text.size(), from + most_characters);
    while (end > from && inside(end)) --end;
    return (from > 0 ? "…" : "") + text.substr(from, end - from) + (end < text.size() ? "…" : "");
}

// Both from shortly before the place where they part.
std::array<std::string, 2> shortened_pair(const std::string& a, const std::string& b) {
    std::size_t same = 0;
    while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
    const std::size_t from = std::max(a.size(), b.size()) > most_characters && same > 60 ? same - 60 : 0;
    return {shortened(a, from), shortened(b, from)};
}

}  // namespace

Json data_difference(const std::filesystem::path& a, const std::filesystem::path& b, std::int64_t examples) {
    const std::vector<Mark> in_a = marks_of(a), in_b = marks_of(b);
    const std::vector<Mark> only_a = without(in_a, in_b), only_b = without(in_b, in_a);
    std::unordered_multimap<std::uint64_t, const Mark*> names;
    for (auto mark = only_a.rbegin(); mark != only_a.rend(); ++mark)
        if (mark->name != 0) names.emplace(mark->name, &*mark);
    std::unordered_map<const Mark*, bool> matched;
    struct Example {
        const char* what;
        std::int64_t a, b;  // row numbers, -1: none
    };
    std::vector<Example> shown;
    std::int64_t added = 0, removed = 0, changed = 0;
    for (const Mark& mark : only_b) {
        const auto same = mark.name != 0 ? names.find(mark.name) : names.end();
        if (same == names.end()) {
            if (++added <= examples) shown.push_back({"added", -1, mark.number});
            continue;
        }
        if (++changed <= examples) shown.push_back({"changed", same->second->number, mark.number});
        matched[same->second] = true;
        names.erase(same);
    }
    for (const Mark& mark : only_a)
        if (!matched.contains(&mark) && ++removed <= examples) shown.push_back({"removed", mark.number, -1});
    std::vector<std::int64_t> numbers_a, numbers_b;
    for (const Example& example : shown) {
        if (example.a >= 0) numbers_a.push_back(example.a);
        if (example.b >= 0) numbers_b.push_back(example.b);
    }
    std::map<std::int64_t, std::string> texts_a, texts_b;
    if (!numbers_a.empty()) texts_a = texts_of(a, numbers_a);
    if (!numbers_b.empty()) texts_b = texts_of(b, numbers_b);
    Json result{{"added", added}, {"removed", removed}, {"changed", changed}, {"examples", Json::array()}};
    for (const Example& example : shown) {
        const std::string left = example.a >= 0 ? texts_a[example.a] : "", right = example.b >= 0 ? texts_b[example.b] : "";
        const auto [short_left, short_right] =
            example.a >= 0 && example.b >= 0 ? shortened_pair(left, right) : std::array{shortened(left, 0), shortened(right, 0)};
        Json entry{{"what", example.what}};
        if (example.a >= 0) entry["a"] = short_left;
        if (example.b >= 0) entry["b"] = short_right;
        result["examples"].push_back(entry);
    }
    return result;
}

}  // namespace temper
