#include "io/jinja/text.h"

#include <algorithm>

#include <utf8proc.h>

#include "io/jinja/casing.h"

namespace temper::jinja {

std::size_t character_size(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return std::min(size, text.size() - at);
}

char32_t character_at(std::string_view text, std::size_t at) {
    if (const auto lead = static_cast<unsigned char>(text[at]); lead < 0x80) return lead;
    utf8proc_int32_t character = 0;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
    const utf8proc_ssize_t read = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    return read > 0 ? static_cast<char32_t>(character) : U'\uFFFD';
}

void append_character(std::string& out, char32_t character) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::size_t character_count(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::size_t character_offset(std::string_view text, std::size_t index) {
    std::size_t at = 0;
    for (; index > 0 && at < text.size(); --index) at += character_size(text, at);
    return at;
}

bool is_space(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_letter(char32_t c) {
    const auto kind = category(c);
    return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}
bool is_word(char32_t c) {
    if (c < 0x80) return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    const auto kind = category(c);
    return is_letter(c) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}
bool is_printable(char32_t c) {
    if (c < 0x80) return c >= 0x20 && c < 0x7F;
    const auto kind = category(c);
    return kind != UTF8PROC_CATEGORY_CN && !(kind >= UTF8PROC_CATEGORY_ZS && kind <= UTF8PROC_CATEGORY_CO);
}
bool is_digit(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    return category(c) == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
           (c >= 0x2080 && c <= 0x2089);
}

template <class Visit> static void each_character(std::string_view text, Visit&& visit) {
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) visit(character_at(text, at));
}

static bool cased_as(std::string_view text, utf8proc_category_t wanted) {
    bool found = false, other = false;
    each_character(text, [&](char32_t c) {
        const auto kind = category(c);
        if (kind == wanted) found = true;
        else if (kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT) other = true;
    });
    return found && !other;
}
bool is_cased_lower(std::string_view text) { return cased_as(text, UTF8PROC_CATEGORY_LL); }
bool is_cased_upper(std::string_view text) { return cased_as(text, UTF8PROC_CATEGORY_LU); }

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&#34;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

std::string_view strip(std::string_view text, Side side, const std::string* characters) {
    const auto goes = [&](std::size_t at) {
        if (!characters) return is_space(character_at(text, at));
        const std::string_view one = text.substr(at, character_size(text, at));
        if (one.size() == 1) return characters->find(one[0]) != std::string::npos;
        return characters->find(one) != std::string::npos;
    };
    std::size_t begin = 0, end = text.size();
    if (side != Side::right)
        while (begin < end && goes(begin)) begin += character_size(text, begin);
    if (side != Side::left)
        while (end > begin) {
            std::size_t last = end - 1;
            while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
            if (!goes(last)) break;
            end = last;
        }
    return text.substr(begin, end - begin);
}

static const SpecialCasing* special_case(char32_t c) {
    if (c < special_casing[0].character) return nullptr;
    const auto* found = std::ranges::lower_bound(special_casing, c, {}, &SpecialCasing::character);
    return found != std::end(special_casing) && found->character == c ? found : nullptr;
}
static void append_upper(std::string& out, char32_t c) {
    if (const SpecialCasing* special = special_case(c)) out += special->upper;
    else append_character(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}
static void append_title(std::string& out, char32_t c) {
    if (const SpecialCasing* special = special_case(c)) out += special->title;
    else append_character(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}
static bool is_cased(char32_t c) {
    const auto kind = category(c);
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}
// `text` up to `at` and after it decide whether a capital sigma ends a word.
static void append_lower(std::string& out, std::string_view text, std::size_t at) {
    const char32_t c = character_at(text, at);
    if (c == U'\u0130') {
        out += "i\u0307";
    } else if (c == U'\u03A3') {
        const std::size_t after = at + character_size(text, at);
        std::size_t before = at;
        while (before > 0 && (static_cast<unsigned char>(text[--before]) & 0xC0) == 0x80) {}
        const bool ends_word = at > 0 && is_cased(character_at(text, before)) && (after == text.size() || !is_cased(character_at(text, after)));
        out += ends_word ? "\u03C2" : "\u03C3";
    } else {
        append_character(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
}

std::string to_upper(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    each_character(text, [&](char32_t c) { append_upper(out, c); });
    return out;
}
std::string to_lower(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) append_lower(out, text, at);
    return out;
}
std::string to_title(std::string_view text) {
    std::string out;
    bool inside = false;
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) {
        const char32_t c = character_at(text, at);
        if (inside) append_lower(out, text, at);
        else append_title(out, c);
        inside = is_cased(c);
    }
    return out;
}
std::string to_capitalized(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) {
        if (at == 0) append_title(out, character_at(text, at));
        else append_lower(out, text, at);
    }
    return out;
}
std::string swap_case(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) {
        const char32_t c = character_at(text, at);
        if (category(c) == UTF8PROC_CATEGORY_LL) append_upper(out, c);
        else append_lower(out, text, at);
    }
    return out;
}

}  // namespace temper::jinja
