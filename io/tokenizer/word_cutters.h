// The splitting patterns that most tokenizers share, written out by hand: the same words as PCRE2 finds, many times as fast.
#pragma once
#include <string_view>

#include "io/tokenizer/text_steps.h"

namespace temper::tok {

// The cutter for a pattern whose matches are words of their own (Isolated); nullptr where there is none.
WordCutter cutter_of_pattern(std::string_view pattern);
extern const std::string_view gpt2_pattern;  // of ByteLevel

std::size_t cut_before_marks(std::string_view text, std::size_t& at, Word* words, std::size_t capacity);   // before each U+2581
std::size_t cut_at_marks(std::string_view text, std::size_t& at, Word* words, std::size_t capacity);       // before each run of U+2581
std::size_t cut_at_whitespace(std::string_view text, std::size_t& at, Word* words, std::size_t capacity);  // which is dropped
// White space is dropped, punctuation stands alone.
std::size_t cut_at_whitespace_and_punctuation(std::string_view text, std::size_t& at, Word* words, std::size_t capacity);

}  // namespace temper::tok
