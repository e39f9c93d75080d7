#include "io/unicode.h"

#include <algorithm>
#include <array>
#include <cassert>

#include <utf8proc.h>

#include "io/jsonl.h"
#include "io/unicode_tables.h"

namespace temper::tok {

namespace {

unsigned char byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// Length of the maximal subpart of an ill-formed sequence that begins at `at`: what one U+FFFD stands for.
std::size_t invalid_length(std::string_view bytes, std::size_t at) {
    const unsigned char lead = byte_at(bytes, at);
    std::size_t expected = 0;
    unsigned char low = 0x80, high = 0xbf;  // of the second byte
    if (lead >= 0xc2 && lead <= 0xdf) expected = 2;
    if (lead >= 0xe0 && lead <= 0xef) expected = 3;
    if (lead >= 0xf0 && lead <= 0xf4) expected = 4;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    std::size_t length = 1;
    while (length < expected && at + length < bytes.size()) {
        const unsigned char next = byte_at(bytes, at + length);
        if (next < low || next > high) break;
        low = 0x80;
        high = 0xbf;
        ++length;
    }
    return length;
}

}  // namespace

char32_t decode_character_before(std::string_view text, std::size_t end) {
    assert(end > 0);
    std::size_t at = end - 1;
    while (at > 0 && is_continuation(text[at])) --at;
    return decode_character(text, at);
}

void append_utf8(std::string& text, char32_t c) {
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | c >> 6);
        put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(0xe0 | c >> 12);
        put(0x80 | (c >> 6 & 0x3f));
        put(0x80 | (c & 0x3f));
    } else {
        put(0xf0 | c >> 18);
        put(0x80 | (c >> 12 & 0x3f));
        put(0x80 | (c >> 6 & 0x3f));
        put(0x80 | (c & 0x3f));
    }
}

std::string to_utf8(char32_t c) {
    std::string text;
    append_utf8(text, c);
    return text;
}

std::string replace_invalid_utf8(std::string_view bytes) {
    std::string text;
    for (;;) {
        const std::size_t bad = find_invalid_utf8(bytes);
        text.append(bytes.substr(0, bad));
        if (bad == std::string_view::npos) return text;
        text.append("\xef\xbf\xbd");
        bytes.remove_prefix(bad + invalid_length(bytes, bad));
    }
}

bool is_whitespace(char32_t c) {
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_numeric(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) || find_row(numeric_additions(), c);
}

bool is_punctuation(char32_t c) {
    if (c < 0x80) return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    if (find_row(punctuation_additions(), c)) return true;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO && !find_row(punctuation_removals(), c);
}

bool is_word(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    // Other_Alphabetic among the symbols, and the joiners.
    if ((c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189))
        return true;
    if (c == 0x200c || c == 0x200d) return true;
    for (const CategoryRange& row : category_additions()) {
        const std::string_view name = row.name;
        const bool word = name[0] == 'L' || name[0] == 'M' || name == "Nd" || name == "Nl" || name == "Pc";
        if (name.size() == 2 && word && c >= row.first && c <= row.last) return true;
    }
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

std::string to_lowercase(char32_t c) {
    if (c == 0x130) return "i\xcc\x87";  // I with dot above keeps its dot
    if (const LowercaseRange* row = find_row(lowercase_additions(), c)) return to_utf8(static_cast<char32_t>(static_cast<int>(c) + row->distance));
    return to_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

namespace {

struct ByteAlphabet {
    std::array<char32_t, 256> characters;
    std::array<int, 512> bytes;

    ByteAlphabet() {
        bytes.fill(-1);
        char32_t next = 256;
        for (unsigned byte = 0; byte < 256; ++byte) {
            const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
            characters[byte] = printable ? byte : next++;
            bytes[characters[byte]] = static_cast<int>(byte);
        }
    }
};

const ByteAlphabet& alphabet() {
    static const ByteAlphabet instance;
    return instance;
}

}  // namespace

char32_t byte_to_character(unsigned char byte) { return alphabet().characters[byte]; }
int character_to_byte(char32_t c) { return c < 512 ? alphabet().bytes[c] : -1; }

}  // namespace temper::tok
