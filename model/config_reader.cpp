#include "model/config_reader.h"

#include <cmath>

#include "kernels/error.h"

namespace temper {

ConfigReader::ConfigReader(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place_, json.type_name());
}

std::int64_t ConfigReader::integer(const char* key, std::int64_t limit) const {
    if (!has(key)) throw_error(ExitCode::bad_data, "{}: field '{}' is missing", place_, key);
    return integer_or(key, 0, limit);
}

std::int64_t ConfigReader::integer_or(const char* key, std::int64_t fallback, std::int64_t limit) const {
    if (!has(key)) return fallback;
    const Json& value = json_.at(key);
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > limit)
        throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected an integer from 1 to {}", place_, key, value.dump(), limit);
    return value.get<std::int64_t>();
}

double ConfigReader::number_or(const char* key, double fallback) const {
    if (!has(key)) return fallback;
    if (!json_.at(key).is_number()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a number", place_, key, json_.at(key).dump());
    return json_.at(key).get<double>();
}

bool ConfigReader::flag_or(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!json_.at(key).is_boolean())
        throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected true or false", place_, key, json_.at(key).dump());
    return json_.at(key).get<bool>();
}

std::string ConfigReader::text_or(const char* key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    if (!json_.at(key).is_string()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a string", place_, key, json_.at(key).dump());
    return json_.at(key).get<std::string>();
}

std::vector<double> ConfigReader::numbers(const char* key) const {
    if (!has(key) || !json_.at(key).is_array()) throw_error(ExitCode::bad_data, "{}: field '{}' is missing or not a list of numbers", place_, key);
    std::vector<double> result;
    for (const Json& value : json_.at(key)) {
        if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0.0)
            throw_error(ExitCode::bad_data, "{}: field '{}' holds {}, expected positive numbers", place_, key, value.dump());
        result.push_back(value.get<double>());
    }
    return result;
}

void ConfigReader::refuse(const char* key, const std::string& why) const {
    throw_error(ExitCode::bad_data, "{}: field '{}' is {}, which temper does not support: {}", place_, key,
                has(key) ? json_.at(key).dump() : "absent", why);
}

}  // namespace temper
