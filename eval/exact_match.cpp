#include "eval/exact_match.h"

#include <cctype>

#include "eval/python_text.h"
#include "io/python_regex.h"

namespace temper {
namespace {

bool is_set(const Json& options, const char* name) { return options.contains(name) && options[name].is_boolean() && options[name].get<bool>(); }

std::string reduced(std::string text, const Json& options) {
    if (options.contains("regexes_to_ignore") && options["regexes_to_ignore"].is_array())
        for (const Json& pattern : options["regexes_to_ignore"])
            text = PythonRegex(pattern.get<std::string>(), "regexes_to_ignore").replace(text, "");
    if (is_set(options, "ignore_case")) text = python_lower(text);
    const bool punctuation = is_set(options, "ignore_punctuation"), numbers = is_set(options, "ignore_numbers");
    std::string kept;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((punctuation && byte < 0x80 && std::ispunct(byte)) || (numbers && c >= '0' && c <= '9')) continue;
        kept += c;
    }
    // numpy drops NULs at the end of its texts.
    while (!kept.empty() && kept.back() == '\0') kept.pop_back();
    return kept;
}

}  // namespace

bool exact_match(const std::string& prediction, const std::string& reference, const Json& options) {
    return reduced(prediction, options) == reduced(reference, options);
}

}  // namespace temper
