// Template source to tokens: text, the words and signs inside {{ }} and {% %}, with Jinja2's whitespace control. Comments and raw markers are gone from the result.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/jinja/value.h"

namespace temper::jinja {

struct Place {
    int line = 1;
    int column = 1;  // in characters
};
// A source that does not parse.
struct SyntaxFailure : Failure {
    SyntaxFailure(const std::string& message, Place at) : Failure(message), place(at) {}
    Place place;
};

enum class TokenKind { data, print_begin, print_end, block_begin, block_end, name, text, integer, real, sign, end };
struct Token {
    TokenKind kind;
    Place place;
    std::string text;  // of data, name, text and sign
    std::int64_t integer = 0;
    double real = 0;
};

// What an environment is set to. Chat templates have transformers' settings; an evaluation task's have lm-evaluation-harness's.
struct Dialect {
    bool trims = true;    // trim_blocks and lstrip_blocks; a line end at the very end is dropped
    bool strict = false;  // StrictUndefined: what is not there may be asked for by `is defined` and default() alone
};
std::vector<Token> tokenize(std::string_view source, const Dialect& dialect = {});

}  // namespace temper::jinja
