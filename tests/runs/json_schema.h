// The part of JSON Schema (draft 2020-12) that our schemas use. An unknown keyword is a failure of the test, never passed over.
#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <regex.h>

#include "io/jsonl.h"

namespace temper {

inline bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "boolean") return value.is_boolean();
    return type == "null" && value.is_null();
}

inline bool matches(const std::string& text, const std::string& pattern) {
    regex_t compiled;
    if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
    const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&compiled);
    return found;
}

// Adds a line for each violation to `errors`.
inline void check_schema(const Json& schema, const Json& value, const std::string& place, std::vector<std::string>& errors) {
    static const std::set<std::string> known = {
        "$schema", "title",   "description",      "type",    "additionalProperties", "required",  "properties", "const",   "enum",      "items",
        "pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum",     "minLength", "anyOf",      "default", "deprecated"};
    const auto fail = [&](const std::string& what) { errors.push_back(place + ": " + what); };
    for (const auto& [keyword, unused] : schema.items()) {
        if (!known.contains(keyword)) fail("the checker does not know the keyword " + keyword);
    }
    if (schema.contains("type")) {
        const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
        bool any = false;
        for (const Json& type : types) any = any || has_type(value, type.get<std::string>());
        if (!any) return fail("found " + std::string(value.type_name()) + ", expected " + types.dump());
    }
    if (schema.contains("const") && value != schema["const"]) fail("found " + value.dump() + ", expected " + schema["const"].dump());
    if (schema.contains("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
        fail("found " + value.dump() + ", expected one of " + schema["enum"].dump());
    }
    if (schema.contains("minimum") && value.is_number() && value.get<double>() < schema["minimum"].get<double>()) fail("below the minimum");
    if (schema.contains("maximum") && value.is_number() && value.get<double>() > schema["maximum"].get<double>()) fail("above the maximum");
    if (schema.contains("exclusiveMinimum") && value.is_number() && value.get<double>() <= schema["exclusiveMinimum"].get<double>())
        fail("not above the minimum");
    if (schema.contains("exclusiveMaximum") && value.is_number() && value.get<double>() >= schema["exclusiveMaximum"].get<double>())
        fail("not below the maximum");
    if (schema.contains("minLength") && value.is_string() && value.get<std::string>().size() < schema["minLength"].get<std::size_t>())
        fail("shorter than minLength");
    if (schema.contains("anyOf")) {
        bool any = false;
        for (const Json& choice : schema["anyOf"]) {
            std::vector<std::string> inside;
            check_schema(choice, value, place, inside);
            any = any || inside.empty();
        }
        if (!any) fail("found " + value.dump() + ", none of anyOf");
    }
    if (schema.contains("pattern") && value.is_string() && !matches(value.get<std::string>(), schema["pattern"].get<std::string>())) {
        fail("found " + value.dump() + ", expected " + schema["pattern"].dump());
    }
    if (value.is_array() && schema.contains("items")) {
        for (std::size_t i = 0; i < value.size(); ++i) check_schema(schema["items"], value[i], place + "/" + std::to_string(i), errors);
    }
    if (!value.is_object()) return;
    if (schema.contains("required")) {
        for (const Json& name : schema["required"]) {
            if (!value.contains(name.get<std::string>())) fail("no " + name.get<std::string>());
        }
    }
    for (const auto& [name, member] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(name)) {
            check_schema(schema["properties"][name], member, place + "/" + name, errors);
        } else if (schema.contains("additionalProperties")) {
            const Json& rest = schema["additionalProperties"];
            if (rest == Json(false)) fail("unknown member " + name);
            else if (rest.is_object()) check_schema(rest, member, place + "/" + name, errors);
        }
    }
}

}  // namespace temper
