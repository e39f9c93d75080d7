// An object of a configuration file read field by field: the place ("dir/tokenizer.json: normalizer") opens every message, and a field
// that nobody understands is refused by name.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class JsonSection {
  public:
    JsonSection(const Json& value, std::string place);  // bad_data unless it is an object

    const std::string& place() const { return place_; }
    const Json& json() const { return *value_; }
    std::string type() const { return text("type"); }
    void allow_only(std::initializer_list<std::string_view> fields) const;

    const Json* find(const std::string& field) const;  // nullptr where absent or null
    std::string text(const std::string& field) const;
    std::optional<std::string> text_if(const std::string& field) const;
    bool boolean(const std::string& field, std::optional<bool> otherwise = std::nullopt) const;
    std::int64_t integer(const std::string& field, std::int64_t least, std::int64_t most) const;
    std::int64_t integer_of(const std::string& field, const Json& value, std::int64_t least, std::int64_t most) const;  // value: that field's
    JsonSection child(const std::string& field) const;
    std::vector<JsonSection> children(const std::string& field) const;  // an array of objects

    [[noreturn]] void refuse(const std::string& field, const std::string& problem) const;  // bad_data "place.field: problem"

  private:
    const Json& require(const std::string& field) const;
    const Json* value_;
    std::string place_;
};

}  // namespace temper
