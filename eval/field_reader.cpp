#include "eval/field_reader.h"

#include <algorithm>

#include "io/nearest.h"
#include "kernels/error.h"

namespace temper {

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

void FieldReader::fail(const std::string& key, const std::string& what) const { throw_error(ExitCode::bad_data, "{}: {}: {}", place_, key, what); }

std::string FieldReader::text(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    if (!fields_[key].is_string()) fail(key, "expected a text, found " + fields_[key].dump());
    return fields_[key].get<std::string>();
}

bool FieldReader::flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!fields_[key].is_boolean()) fail(key, "expected true or false, found " + fields_[key].dump());
    return fields_[key].get<bool>();
}

std::optional<std::int64_t> FieldReader::count(const char* key, std::int64_t least) const {
    if (!has(key)) return std::nullopt;
    if (!fields_[key].is_number_integer() || fields_[key].get<std::int64_t>() < least)
        fail(key, fmt::format("expected a whole number from {} on, found {}", least, fields_[key].dump()));
    return fields_[key].get<std::int64_t>();
}

std::optional<double> FieldReader::number(const char* key, double least) const {
    if (!has(key)) return std::nullopt;
    if (!fields_[key].is_number() || fields_[key].get<double>() < least)
        fail(key, fmt::format("expected a number from {} on, found {}", least, fields_[key].dump()));
    return fields_[key].get<double>();
}

std::vector<std::string> FieldReader::texts(const char* key) const {
    std::vector<std::string> all;
    if (!has(key)) return all;
    if (!fields_[key].is_array()) fail(key, "expected a list of texts, found " + fields_[key].dump());
    for (const Json& one : fields_[key]) {
        if (!one.is_string()) fail(key, "expected a list of texts, found " + one.dump() + " in it");
        all.push_back(one.get<std::string>());
    }
    return all;
}

std::vector<Json> FieldReader::maps(const char* key) const {
    const Json list = value(key);
    if (!list.is_array() || list.empty()) fail(key, "expected a list of maps, found " + list.dump());
    for (const Json& one : list)
        if (!one.is_object()) fail(key, "expected a list of maps, found " + one.dump() + " in it");
    return {list.begin(), list.end()};
}

void FieldReader::check_keys(const std::vector<std::string>& known) const {
    for (const auto& [key, ignored] : fields_.items())
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            const std::string near = nearest_name(key, known);
            fail(key, "not known here" + (near.empty() ? std::string() : "; did you mean " + near + "?"));
        }
}

}  // namespace temper
