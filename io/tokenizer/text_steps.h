// The steps before the model: normalizers rewrite the text, pre-tokenizers cut it into words. Read from tokenizer.json.
#pragma once
#include <functional>
#include <vector>

#include "io/json_section.h"
#include "io/tokenizer/regex.h"
#include "io/tokenizer/text_pieces.h"
#include "io/tokenizer/token_model.h"

namespace temper::tok {

// Cuts a text into words from `at` on, as many as fit; `at` moves behind the last. False matches between words belong to no word.
using WordCutter = std::size_t (*)(std::string_view text, std::size_t& at, Word* words, std::size_t capacity);

// A step, and what is told of it to those who take a shorter way to the same words.
struct TextStep {
    enum class Kind { other, byte_alphabet, words };
    template <class Run> TextStep(Run code) : run(std::move(code)) {}
    explicit TextStep(WordCutter words);
    void operator()(TextPieces& text) const { run(text); }

    std::function<void(TextPieces&)> run;
    Kind kind = Kind::other;
    WordCutter words = nullptr;  // of Kind::words
};
using TextSteps = std::vector<TextStep>;

// NFC NFD NFKC NFKD Lowercase Prepend Replace Strip StripAccents BertNormalizer Nmt Precompiled ByteLevel Sequence; bad_data names any other.
void add_normalizer(TextSteps& steps, const JsonSection& section);
// ByteLevel Split Digits Punctuation Whitespace WhitespaceSplit Metaspace BertPreTokenizer CharDelimiterSplit UnicodeScripts FixedLength
// Sequence; bad_data names any other.
void add_pre_tokenizer(TextSteps& steps, const JsonSection& section);

// {"String": text} or {"Regex": pattern}, as Replace and Split have it.
Regex read_pattern(const JsonSection& section);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
TextStep normalization(NormalForm form);
TextStep byte_level_alphabet();                            // every byte becomes its character
TextStep replacement(Regex pattern, std::string content);  // of every match
TextStep split_by_script();
TextStep lowercase();
TextStep strip_accents();  // of text that is decomposed already
TextStep nmt();
void add_bert_normalizer(TextSteps& steps, const JsonSection& section);
void add_precompiled(TextSteps& steps, const JsonSection& section);  // SentencePiece's charsmap
// Puts a text before each piece; `unless` gives the pieces that stay.
TextStep prefix(std::string text, std::function<bool(std::string_view, const SourceView&)> unless);

}  // namespace temper::tok
