#include "io/tokenizer/character_classes.h"

#include <map>
#include <optional>
#include <string>

#include <utf8proc.h>

#include "io/unicode_tables.h"

namespace temper::tok {

namespace {

using Classes = CharacterClasses;

constexpr std::uint8_t by_category = Classes::letter | Classes::mark | Classes::number;

std::uint8_t of_name(std::string_view category) {
    if (category == "Lu" || category == "Lt") return Classes::upper;
    if (category == "Ll") return Classes::lower;
    if (category == "Lm" || category == "Lo") return Classes::other_letter;
    switch (category.front()) {
        case 'M': return Classes::mark;
        case 'N': return Classes::number | Classes::digit;
        case 'P': return Classes::punctuation;
        default: return 0;
    }
}

template <class Row> void change(std::vector<std::uint8_t>& all, const Row& row, int clear, int set) {
    for (char32_t c = row.first; c <= row.last; ++c) all[c] = static_cast<std::uint8_t>((all[c] & ~clear) | set);
}

}  // namespace

CharacterClasses::CharacterClasses() {
    // What is_whitespace, is_punctuation and is_numeric say of every character, in a tenth of the time: whatever has a tokenizer begins with this.
    std::vector<std::uint8_t> all(0x110000);
    std::array<std::optional<std::uint8_t>, 64> classes;
    for (char32_t c = 0; c < all.size(); ++c) {
        auto& of_its_category = classes.at(static_cast<std::size_t>(utf8proc_category(static_cast<utf8proc_int32_t>(c))));
        if (!of_its_category) of_its_category = of_name(utf8proc_category_string(static_cast<utf8proc_int32_t>(c)));
        all[c] = *of_its_category;
    }
    for (const CategoryRange& row : category_additions())
        if (std::string_view(row.name).size() == 2) change(all, row, by_category, of_name(row.name) & by_category);  // else a script
    for (const ScalarRange& row : numeric_additions()) change(all, row, 0, digit);
    for (const ScalarRange& row : punctuation_removals()) change(all, row, punctuation, 0);
    for (const ScalarRange& row : punctuation_additions()) change(all, row, 0, punctuation);
    for (char32_t c = 0; c < ascii_.size(); ++c) all[c] = static_cast<std::uint8_t>((all[c] & ~punctuation) | (is_punctuation(c) ? punctuation : 0));
    for (char32_t c = 0; c <= 0x3000; ++c)  // the last space
        if (is_whitespace(c)) all[c] |= space;
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
