// Where the reference tokenizer's Unicode tables differ from those of PCRE2 and utf8proc (measured over all scalars).
#pragma once
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

const std::vector<CategoryRange>& category_additions();   // in the reference's \p{...}, not in PCRE2's
const std::vector<ScalarRange>& numeric_additions();      // Digits takes them, utf8proc has them in no category N
const std::vector<ScalarRange>& punctuation_additions();  // Punctuation takes them, utf8proc has them in no category P
const std::vector<ScalarRange>& punctuation_removals();   // the other way round
const std::vector<ScalarRange>& normalization_inert();    // newer than the reference's normalisation tables: left as they are
const std::vector<LowercaseRange>& lowercase_additions();

}  // namespace temper::tok
