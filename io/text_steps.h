// The steps before the model: normalizers rewrite the text, pre-tokenizers cut it into words. Read from tokenizer.json.
#pragma once
#include <functional>
#include <vector>

#include "io/json_section.h"
#include "io/regex.h"
#include "io/text_pieces.h"

namespace temper::tok {

using TextStep = std::function<void(TextPieces&)>;
using TextSteps = std::vector<TextStep>;

// NFC NFD NFKC NFKD Lowercase Prepend Replace Strip ByteLevel Sequence; bad_data names any other.
void add_normalizer(TextSteps& steps, const JsonSection& section);
// ByteLevel Split Digits Punctuation Whitespace WhitespaceSplit Metaspace Sequence; bad_data names any other.
void add_pre_tokenizer(TextSteps& steps, const JsonSection& section);

// {"String": text} or {"Regex": pattern}, as Replace and Split have it.
Regex read_pattern(const JsonSection& section);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
TextStep normalization(NormalForm form);
TextStep byte_level_alphabet();                            // every byte becomes its character
TextStep replacement(Regex pattern, std::string content);  // of every match
// Puts a text before each piece; `unless` gives the pieces that stay.
TextStep prefix(std::string text, std::function<bool(std::string_view, const SourceRange*)> unless);

}  // namespace temper::tok
