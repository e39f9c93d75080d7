// Code points of valid UTF-8, and the character classes that tokenizers ask for (as the reference's tables have them).
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace temper::tok {

// Bytes of the character that begins with this byte. The text has been checked: these never see ill-formed UTF-8.
inline std::size_t character_size(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}
inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }
inline char32_t decode_character(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[at + i])); };
    const char32_t lead = byte(0);
    if (lead < 0x80) return lead;
    if (lead < 0xe0) return (lead & 0x1f) << 6 | (byte(1) & 0x3f);
    if (lead < 0xf0) return (lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    return (lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
}
char32_t decode_character_before(std::string_view text, std::size_t end);
void append_utf8(std::string& text, char32_t c);
std::string to_utf8(char32_t c);

// Ill-formed sequences become U+FFFD, one for each maximal subpart (Unicode 3.9), as Rust's from_utf8_lossy does.
std::string replace_invalid_utf8(std::string_view bytes);

bool is_whitespace(char32_t c);   // property White_Space
bool is_numeric(char32_t c);      // Nd, Nl, No
bool is_punctuation(char32_t c);  // ASCII punctuation and P*
bool is_word(char32_t c);         // \w of Rust's regex
std::string to_lowercase(char32_t c);

// GPT-2's alphabet: a printable character for every byte.
char32_t byte_to_character(unsigned char byte);
int character_to_byte(char32_t c);  // -1 outside the alphabet

}  // namespace temper::tok
