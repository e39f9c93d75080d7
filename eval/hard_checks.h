// Checks that a generated text passes or fails, declared in YAML:
//     checks:
//       - {name: three sentences, sentences: {exactly: 3}, when: {tags: [tldr]}}
//       - {json_schema: {type: object, required: [team]}}
//       - {field_equals: {team: reference}}
// Every entry has one kind of check, and may have a name, `when` (tags that a row must have) and `field` (of the answer's JSON, as a.b).
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/yaml.h"

namespace temper {

class HardCheck {
  public:
    virtual ~HardCheck() = default;
    // What is wrong with the text; empty: it passes. `row` has what the row has beside it (reference, tags).
    virtual std::string fault(const std::string& text, const Json& row) const = 0;
};

// Kinds: json, json_schema, field_equals, equals, regex, not_regex, contains, forbidden, starts_with, ends_with, sentences, words, characters, lines,
// separator, script.
class HardChecks {
  public:
    // bad_data with file, line and column for a check that is not understood.
    explicit HardChecks(const std::filesystem::path& file);
    HardChecks(const std::string& yaml, const std::string& place);
    HardChecks(const YamlNode& list, const std::string& place);  // what stands below `checks`

    struct Result {
        std::string check, fault;  // fault empty: passed
    };
    // Of the checks that are for this row, in their order. One that cannot be decided (an expression that takes too many steps on this text)
    // counts as failed, with a warning that names `place`, the row's.
    std::vector<Result> run(const std::string& text, const Json& row, const std::string& place = "") const;
    std::vector<std::string> names() const;

  private:
    void add(const YamlNode& list, const std::string& place);
    struct Entry {
        std::string name, field;
        std::vector<std::string> tags;
        std::unique_ptr<HardCheck> check;
    };
    std::vector<Entry> entries_;
};

// Sentences of a text: they end at . ! ? … and their like of other scripts, with what closes behind them, before white space or the end; not at
// abbreviations, initials and numbers.
std::vector<std::string> split_sentences(const std::string& text);

}  // namespace temper
