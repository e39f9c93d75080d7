#include "io/character_classes.h"

#include <map>
#include <string>

#include <utf8proc.h>

#include "io/unicode_tables.h"

namespace temper::tok {

namespace {

using Classes = CharacterClasses;

std::uint8_t of_category(std::string_view name) {
    if (name == "Lu" || name == "Lt") return Classes::upper;
    if (name == "Ll") return Classes::lower;
    if (name == "Lm" || name == "Lo") return Classes::other_letter;
    return name.size() != 2 ? 0 : name[0] == 'M' ? Classes::mark : name[0] == 'N' ? Classes::number : 0;
}

}  // namespace

CharacterClasses::CharacterClasses() {
    std::vector<std::uint8_t> all(0x110000);
    for (char32_t c = 0; c < all.size(); ++c) {
        all[c] = of_category(utf8proc_category_string(static_cast<utf8proc_int32_t>(c)));
        if (is_whitespace(c)) all[c] |= space;
    }
    constexpr std::uint8_t by_category = letter | mark | number;
    for (const CategoryRange& row : category_additions()) {
        const std::string_view name = row.name;
        if (name.size() != 2) continue;  // a script
        for (char32_t c = row.first; c <= row.last; ++c) all[c] = static_cast<std::uint8_t>((all[c] & ~by_category) | of_category(name));
    }
    for (char32_t c = 0; c < all.size(); ++c) {
        if (is_punctuation(c)) all[c] |= punctuation;
        if (is_numeric(c)) all[c] |= digit;
    }
    std::map<std::string, std::uint16_t> known;
    for (std::size_t block = 0; block < index_.size(); ++block) {
        const std::string content(all.begin() + static_cast<std::ptrdiff_t>(block * 256),
                                  all.begin() + static_cast<std::ptrdiff_t>(block * 256 + 256));
        const auto [entry, is_new] = known.emplace(content, static_cast<std::uint16_t>(known.size()));
        if (is_new) blocks_.insert(blocks_.end(), content.begin(), content.end());
        index_[block] = entry->second;
    }
    for (char32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = all[c];
}

const CharacterClasses& CharacterClasses::table() {
    static const CharacterClasses instance;
    return instance;
}

}  // namespace temper::tok
