#include "serve/request_fields.h"

#include <algorithm>
#include <cmath>

#include "io/json_text.h"
#include "io/nearest.h"
#include "serve/api_error.h"

namespace temper {
namespace {

constexpr std::size_t longest_name = 60;

// How much of a value a message shows.
std::string shown(const Json& value) { return shortened(json_text(value)); }

}  // namespace

RequestFields::RequestFields(std::string_view body) {
    try {
        body_ = parse_json(body, "body");
    } catch (const Error& error) {
        refuse("", "the body is no JSON: {}", shortened(error.what(), 300));
    }
    if (!body_.is_object()) refuse("", "the body is a JSON {}, expected an object", body_.type_name());
}

const Json* RequestFields::find(const std::string& name) {
    known_.insert(name);
    const auto found = body_.find(name);
    return found == body_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<double> RequestFields::number(const std::string& name, double least, double most) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= least && number <= most)) refuse(name, "{}: {}, expected a number from {} to {}", name, shown(*value), least, most);
    return number;
}

std::optional<std::int64_t> RequestFields::integer(const std::string& name, std::int64_t least, std::int64_t most) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const bool fits = value->is_number_integer() && !(value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t(INT64_MAX));
    const std::int64_t number = fits ? value->get<std::int64_t>() : 0;
    if (!fits || number < least || number > most) refuse(name, "{}: {}, expected a whole number from {} to {}", name, shown(*value), least, most);
    return number;
}

std::optional<bool> RequestFields::flag(const std::string& name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_boolean()) refuse(name, "{}: {}, expected true or false", name, shown(*value));
    return value->get<bool>();
}

std::optional<std::string> RequestFields::text(const std::string& name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) refuse(name, "{}: {}, expected text", name, shown(*value));
    return value->get<std::string>();
}

std::string RequestFields::required_text(const std::string& name) {
    std::optional<std::string> value = text(name);
    if (!value) refuse(name, "{} is missing", name);
    return *value;
}

void RequestFields::only(const std::string& name, std::initializer_list<Json> neutral) {
    const Json* value = find(name);
    if (value == nullptr || std::find(neutral.begin(), neutral.end(), *value) != neutral.end()) return;
    throw ApiError(400, fmt::format("{}: {} is not supported; leave it out", name, shown(*value)), name, "unsupported_value");
}

void RequestFields::refuse_others() {
    for (const auto& [name, value] : body_.items()) {
        if (known_.count(name) > 0 || value.is_null()) continue;
        // A name that is longer than any that there is means none of them, and looking takes time by its length.
        const std::string nearest = name.size() > longest_name ? "" : nearest_name(name, {known_.begin(), known_.end()});
        throw ApiError(400, fmt::format("{} is not supported{}", shown(name), nearest.empty() ? "; leave it out" : "; did you mean " + nearest + "?"),
                       shortened(name), "unsupported_parameter");
    }
}

}  // namespace temper
