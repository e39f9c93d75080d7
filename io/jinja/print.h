// How values become text: Python's str() and repr(), and the tojson filter of transformers (json.dumps).
#pragma once
#include <optional>
#include <string>

#include "io/jinja/value.h"

namespace temper::jinja {

std::string float_repr(double number);                   // shortest digits that read back, as Python writes them
void append_text(std::string& out, const Value& value);  // str(value)
std::string text_of(const Value& value);
void append_repr(std::string& out, const Value& value, int level = 0);
std::string repr_of(const Value& value);

struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    std::optional<std::string> indent;  // one level of it
    std::string item_separator = ", ";
    std::string key_separator = ": ";
};
std::string to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace temper::jinja
