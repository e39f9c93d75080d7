// `temper tokenize --show`: rows as training sees them, for a person to read.
#pragma once
#include <string>

#include "io/tokenizer/tokenizer.h"
#include "train/preference_encoder.h"
#include "train/row_encoder.h"

namespace temper {

// The row's tokens as text: supervised ones in green and the others dim where colours are wanted, else supervised stretches in ⟦ ⟧.
std::string shown_row(const Tokenizer& tokenizer, const TokenRow& row, bool colours);

// The prompt, and below it every answer by its name: the preferred one in green and the other red, or in ⟦ ⟧.
std::string shown_preference(const Tokenizer& tokenizer, const PreferenceRow& row, bool colours);

bool stdout_takes_colours();  // a terminal, and NO_COLOR is not set

}  // namespace temper
