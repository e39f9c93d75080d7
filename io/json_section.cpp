#include "io/json_section.h"

#include <algorithm>

#include "kernels/error.h"

namespace temper {

JsonSection::JsonSection(const Json& value, std::string place) : value_(&value), place_(std::move(place)) {
    if (!value.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place_, value.type_name());
}

void JsonSection::allow_only(std::initializer_list<std::string_view> fields) const {
    for (const auto& [name, ignored] : value_->items())
        if (std::find(fields.begin(), fields.end(), name) == fields.end()) refuse(name, "not a field that is understood here");
}

const Json* JsonSection::find(const std::string& field) const {
    const auto found = value_->find(field);
    return found == value_->end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonSection::require(const std::string& field) const {
    const Json* found = find(field);
    if (!found) refuse(field, "absent");
    return *found;
}

std::string JsonSection::text(const std::string& field) const {
    const Json& found = require(field);
    if (!found.is_string()) refuse(field, fmt::format("expected a string, found {}", found.type_name()));
    return found.get<std::string>();
}

std::optional<std::string> JsonSection::text_if(const std::string& field) const {
    return find(field) ? std::optional<std::string>(text(field)) : std::nullopt;
}

bool JsonSection::boolean(const std::string& field, std::optional<bool> otherwise) const {
    const Json* found = find(field);
    if (!found && otherwise) return *otherwise;
    if (!require(field).is_boolean()) refuse(field, fmt::format("expected true or false, found {}", found->type_name()));
    return found->get<bool>();
}

std::int64_t JsonSection::integer(const std::string& field, std::int64_t least, std::int64_t most) const {
    return integer_of(field, require(field), least, most);
}

std::int64_t JsonSection::integer_of(const std::string& field, const Json& found, std::int64_t least, std::int64_t most) const {
    if (!found.is_number_integer()) refuse(field, fmt::format("expected a whole number, found {}", found.type_name()));
    const bool huge = found.is_number_unsigned() && found.get<std::uint64_t>() > std::uint64_t(INT64_MAX);
    const std::int64_t value = huge ? INT64_MAX : found.get<std::int64_t>();
    if (value < least || value > most) refuse(field, fmt::format("expected {} to {}, found {}", least, most, value));
    return value;
}

JsonSection JsonSection::child(const std::string& field) const { return {require(field), place_ + "." + field}; }

std::vector<JsonSection> JsonSection::children(const std::string& field) const {
    const Json& found = require(field);
    if (!found.is_array()) refuse(field, fmt::format("expected an array, found {}", found.type_name()));
    std::vector<JsonSection> sections;
    for (std::size_t i = 0; i < found.size(); ++i) sections.emplace_back(found[i], fmt::format("{}.{}[{}]", place_, field, i));
    return sections;
}

void JsonSection::refuse(const std::string& field, const std::string& problem) const {
    throw_error(ExitCode::bad_data, "{}.{}: {}", place_, field, problem);
}

}  // namespace temper
