// What the splitting patterns of tokenizers ask of a character, as bits of one byte: a look into a table instead of a search.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/unicode.h"

namespace temper::tok {

class CharacterClasses {
  public:
    static constexpr std::uint8_t upper = 1, lower = 2, other_letter = 4;  // Lu and Lt; Ll; Lm and Lo
    static constexpr std::uint8_t letter = upper | lower | other_letter, mark = 8, number = 16, space = 32;
    static constexpr std::uint8_t punctuation = 64, digit = 128;  // as is_punctuation and is_numeric have them

    static const CharacterClasses& table();
    std::uint8_t of(char32_t c) const { return blocks_[static_cast<std::size_t>(index_[c >> 8]) * 256 + (c & 0xff)]; }
    // Of the character at a place of well-formed text, and its size.
    std::uint8_t at(std::string_view text, std::size_t place, std::size_t& size) const {
        const auto byte = static_cast<unsigned char>(text[place]);
        if (byte < 0x80) {
            size = 1;
            return ascii_[byte];
        }
        size = character_size(text[place]);
        return of(decode_character(text, place));
    }

  private:
    CharacterClasses();
    std::array<std::uint16_t, 0x1100> index_{};
    std::vector<std::uint8_t> blocks_;  // of 256 characters, equal ones once
    std::array<std::uint8_t, 128> ascii_{};
};

}  // namespace temper::tok
