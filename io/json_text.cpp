#include "io/json_text.h"

namespace temper {

std::string json_text(const Json& value, int indent) { return value.dump(indent, ' ', false, Json::error_handler_t::replace); }

std::string text_or_json(const Json& value) { return value.is_string() ? value.get<std::string>() : json_text(value); }

const Json& member(const Json& json, const std::string& name) {
    static const Json null;
    if (!json.is_object()) return null;
    const auto at = json.find(name);
    return at == json.end() ? null : *at;
}

std::string member_text(const Json& json, const std::string& name) {
    const Json& value = member(json, name);
    return value.is_string() ? value.get<std::string>() : "";
}

}  // namespace temper
