// Where the reference tokenizer's Unicode tables differ from those of PCRE2 and utf8proc (measured over all scalars).
#pragma once
#include <algorithm>
#include <iterator>
#include <vector>

namespace temper::tok {

struct ScalarRange {
    char32_t first, last;
};
struct CategoryRange {
    char32_t first, last;
    const char* name;  // general category ("Lu") or script ("Han")
};
struct LowercaseRange {
    char32_t first, last;
    int distance;
};

struct ScriptRange {
    char32_t first, last;
    int script;  // a number for each that UnicodeScripts tells apart
};

const std::vector<CategoryRange>& category_additions();   // in the reference's \p{...}, not in PCRE2's
const std::vector<ScalarRange>& numeric_additions();      // Digits takes them, utf8proc has them in no category N
const std::vector<ScalarRange>& punctuation_additions();  // Punctuation takes them, utf8proc has them in no category P
const std::vector<ScalarRange>& punctuation_removals();   // the other way round
const std::vector<ScalarRange>& normalization_inert();    // newer than the reference's normalisation tables: left as they are
const std::vector<LowercaseRange>& lowercase_additions();

// Whole sets, not differences.
const std::vector<ScalarRange>& cleaned_characters();  // BertNormalizer's clean_text removes them
const std::vector<ScalarRange>& nonspacing_marks();    // its strip_accents removes them
const std::vector<ScalarRange>& combining_marks();     // StripAccents removes them
const std::vector<ScriptRange>& script_ranges();

template <class Row> const Row* find_row(const std::vector<Row>& rows, char32_t c) {
    const auto row = std::upper_bound(rows.begin(), rows.end(), c, [](char32_t at, const Row& candidate) { return at < candidate.first; });
    return row != rows.begin() && c <= std::prev(row)->last ? &*std::prev(row) : nullptr;
}

}  // namespace temper::tok
