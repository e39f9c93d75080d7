// One map of a task file, read by key. Every message opens with the map's place, the file first. A key without a value counts as not given.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class FieldReader {
  public:
    FieldReader(const Json& fields, std::string place) : fields_(fields), place_(std::move(place)) {}

    // All of these throw bad_data for a value of another type.
    bool has(const char* key) const { return fields_.contains(key) && !fields_[key].is_null(); }
    Json value(const char* key) const { return has(key) ? fields_[key] : Json(); }
    std::string text(const char* key, const std::string& otherwise = "") const;
    bool flag(const char* key, bool otherwise) const;
    std::optional<std::int64_t> count(const char* key, std::int64_t least) const;  // a whole number
    std::optional<double> number(const char* key, double least) const;
    std::vector<std::string> texts(const char* key) const;  // of a list; empty where there is none
    std::vector<Json> maps(const char* key) const;          // of a list, which is not empty

    // A key that is not among these, with the nearest one.
    void check_keys(const std::vector<std::string>& known) const;
    [[noreturn]] void fail(const std::string& key, const std::string& what) const;
    const std::string& place() const { return place_; }

  private:
    const Json& fields_;
    std::string place_;
};

std::string joined(const std::vector<std::string>& names);  // "a, b, c"

}  // namespace temper
