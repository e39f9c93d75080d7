#include "io/http/chat_guard.h"

#include <algorithm>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {

namespace {

constexpr char32_t first_mark = 0xfdd0, last_mark = 0xfdef;  // characters that Unicode keeps free for such uses

std::size_t behind_first(std::string_view text, std::size_t at) { return at + tok::character_size(text[at]); }

}  // namespace

ChatGuard::ChatGuard(std::vector<std::string> special_tokens, const Json& messages, const Json& variables, std::string_view source)
    : tokens_(std::move(special_tokens)) {
    tokens_.erase(std::remove(tokens_.begin(), tokens_.end(), std::string()), tokens_.end());
    const std::string all = messages.dump() + variables.dump() + std::string(source);
    for (char32_t c = first_mark; c <= last_mark && mark_.empty(); ++c)
        if (const std::string candidate = tok::to_utf8(c); all.find(candidate) == std::string::npos) mark_ = candidate;
    if (mark_.empty())
        throw_error(ExitCode::bad_data, "chat template: the conversation holds every character from U+FDD0 to U+FDEF, expected one to be free");
}

std::string ChatGuard::guarded(const std::string& text, bool ends) const {
    std::vector<std::size_t> marks;
    const std::string_view content(text);
    std::size_t first = 0, last = content.size();  // without the white space around it, which templates trim
    while (first < last && tok::is_whitespace(tok::decode_character(content, first))) first = behind_first(content, first);
    while (last > first && tok::is_whitespace(tok::decode_character_before(content, last))) {
        do --last;
        while (tok::is_continuation(content[last]));
    }
    for (const std::string& token : tokens_) {
        for (std::size_t at = content.find(token); at != std::string_view::npos; at = content.find(token, at + 1))
            marks.push_back(behind_first(content, at));
        const std::string_view trimmed = content.substr(first, last - first);
        for (std::size_t size = 1; ends && size < token.size() && size <= trimmed.size(); ++size) {
            if (trimmed.compare(trimmed.size() - size, size, token, 0, size) == 0) marks.push_back(last);
            if (trimmed.compare(0, size, token, token.size() - size, size) == 0) marks.push_back(behind_first(content, first));
        }
    }
    if (marks.empty()) return text;
    std::sort(marks.begin(), marks.end());
    marks.erase(std::unique(marks.begin(), marks.end()), marks.end());
    std::string result;
    std::size_t copied = 0;
    for (const std::size_t at : marks) {
        result.append(content.substr(copied, at - copied)).append(mark_);
        copied = at;
    }
    return result.append(content.substr(copied));
}

Json ChatGuard::guarded(const Json& value) const {
    if (value.is_string()) return guarded(value.get_ref<const std::string&>(), true);
    if (value.is_array()) {
        Json result = Json::array();
        for (const Json& item : value) result.push_back(guarded(item));
        return result;
    }
    if (!value.is_object()) return value;
    Json result = Json::object();
    // Straight to the vector below: operator[] of an ordered object walks all keys for each that is added. Marked keys differ where the keys do.
    Json::object_t::Container& members = result.get_ref<Json::object_t&>();
    for (const auto& [key, item] : value.items()) members.emplace_back(guarded(key, false), key == "type" ? item : guarded(item));
    return result;
}

Json ChatGuard::messages(const Json& messages) const {
    Json result = messages;
    if (!result.is_array()) return result;
    for (Json& message : result) {
        if (!message.is_object()) continue;
        for (auto& [key, value] : message.items())
            if (key != "role") value = guarded(value);
    }
    return result;
}

Json ChatGuard::variables(const Json& variables) const {
    Json result = variables;
    if (!result.is_object()) return result;
    for (const char* name : {"tools", "documents"})
        if (result.contains(name)) result[name] = guarded(result[name]);
    return result;
}

ChatGuard::Taken ChatGuard::take_marks(std::string& text) const {
    Taken taken;
    taken.mark_size = mark_.size();
    std::vector<std::size_t>& places = taken.barriers;
    std::string result;
    std::size_t copied = 0;
    for (std::size_t at = text.find(mark_); at != std::string::npos; at = text.find(mark_, copied)) {
        result.append(text, copied, at - copied);
        if (!result.empty() && (places.empty() || places.back() != result.size())) places.push_back(result.size());
        copied = at + mark_.size();
        taken.marks.push_back(copied);
    }
    result.append(text, copied);
    text = std::move(result);
    return taken;
}

std::size_t ChatGuard::Taken::without(std::size_t at) const {
    const auto before = static_cast<std::size_t>(std::upper_bound(marks.begin(), marks.end(), at) - marks.begin());
    return at - before * mark_size;
}

}  // namespace temper
