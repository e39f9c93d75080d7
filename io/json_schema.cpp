#include "io/json_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "io/json_text.h"
#include "io/python_regex.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

const std::set<std::string> keywords{"type",
                                     "enum",
                                     "const",
                                     "properties",
                                     "required",
                                     "additionalProperties",
                                     "patternProperties",
                                     "minProperties",
                                     "maxProperties",
                                     "items",
                                     "prefixItems",
                                     "minItems",
                                     "maxItems",
                                     "uniqueItems",
                                     "contains",
                                     "minimum",
                                     "maximum",
                                     "exclusiveMinimum",
                                     "exclusiveMaximum",
                                     "multipleOf",
                                     "minLength",
                                     "maxLength",
                                     "pattern",
                                     "anyOf",
                                     "allOf",
                                     "oneOf",
                                     "not",
                                     "if",
                                     "then",
                                     "else",
                                     "$defs",
                                     "definitions",
                                     "$ref",
                                     "$schema",
                                     "$id",
                                     "title",
                                     "description",
                                     "default",
                                     "examples",
                                     "$comment",
                                     "format"};
const std::set<std::string> types{"null", "boolean", "object", "array", "number", "string", "integer"};
constexpr int max_depth = 64;

// Where keywords have schemas below them.
const std::set<std::string> one_below{"additionalProperties", "items", "contains", "not", "if", "then", "else"};
const std::set<std::string> list_below{"anyOf", "allOf", "oneOf", "prefixItems"};
const std::set<std::string> map_below{"properties", "patternProperties", "$defs", "definitions"};

std::string type_of(const Json& value) {
    if (value.is_null()) return "null";
    if (value.is_boolean()) return "boolean";
    if (value.is_object()) return "object";
    if (value.is_array()) return "array";
    if (value.is_string()) return "string";
    return "number";
}

bool has_type(const Json& value, const std::string& type) {
    if (type != "integer") return type_of(value) == type;
    return value.is_number_integer() || (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

std::string shown(const Json& value) {
    std::string text = json_text(value);
    if (text.size() <= 60) return text;
    std::size_t end = 57;
    while (end > 0 && tok::is_continuation(text[end])) --end;
    return text.substr(0, end) + "…";
}

std::int64_t characters(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char byte) { return !tok::is_continuation(byte); });
}

[[noreturn]] void refuse(const std::string& place, const std::string& path, const std::string& what) {
    throw_error(ExitCode::bad_data, "{}: schema {}: {}", place, path, what);
}

void check_value(const std::string& key, const Json& value, const std::string& place, const std::string& path) {
    static const std::set<std::string> counts{"minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength"};
    static const std::set<std::string> numbers{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"};
    if (counts.contains(key) && (!value.is_number_integer() || value.get<std::int64_t>() < 0))
        refuse(place, path, "expected a count, found " + shown(value));
    if (numbers.contains(key) && !value.is_number()) refuse(place, path, "expected a number, found " + shown(value));
    if (key == "multipleOf" && value.get<double>() <= 0.0) refuse(place, path, "expected a number above 0");
    if (key == "pattern") {
        if (!value.is_string()) refuse(place, path, "expected a text, found " + shown(value));
        const PythonRegex compiles(value.get<std::string>(), place + ": schema " + path);
    }
    if (key == "type")
        for (const Json& type : value.is_array() ? value : Json::array({value}))
            if (!type.is_string() || !types.contains(type.get<std::string>())) refuse(place, path, "no type of JSON: " + shown(type));
    if ((key == "required" || key == "enum") && !value.is_array()) refuse(place, path, "expected a list");
    if (key == "required")
        for (const Json& name : value)
            if (!name.is_string()) refuse(place, path, "expected the name of a field, found " + shown(name));
}

const Json& target_of(const Json& root, const Json& reference, const std::string& place, const std::string& path) {
    if (!reference.is_string() || !reference.get<std::string>().starts_with("#")) refuse(place, path, "expected #/…, found " + shown(reference));
    try {
        return root.at(Json::json_pointer(reference.get<std::string>().substr(1)));
    } catch (const nlohmann::json::exception&) {
        refuse(place, path, "there is no " + reference.get<std::string>());
    }
}

// What is declared has values that its keywords can have, and refers to schemas that are checked as such.
class Declaration {
  public:
    Declaration(const Json& root, const std::string& place) : place_(place) {
        visit(root, "#", 0);
        for (const auto& [reference, path] : references_)
            if (!schemas_.contains(&target_of(root, *reference, place, path))) refuse(place, path, "no schema is at " + shown(*reference));
    }

  private:
    void visit(const Json& schema, const std::string& path, int depth) {
        if (depth > max_depth) refuse(place_, path, "nested too deep");
        schemas_.insert(&schema);
        if (schema.is_boolean()) return;
        if (!schema.is_object()) refuse(place_, path, "expected an object, found " + shown(schema));
        for (const auto& [key, value] : schema.items()) {
            if (!keywords.contains(key)) refuse(place_, path + "/" + key, "not known here");
            check_value(key, value, place_, path + "/" + key);
            keyword(key, value, path + "/" + key, depth);
        }
    }

    void keyword(const std::string& key, const Json& value, const std::string& path, int depth) {
        if (key == "$ref") references_.emplace_back(&value, path);
        if (one_below.contains(key)) visit(value, path, depth + 1);
        if (list_below.contains(key)) {
            if (!value.is_array()) refuse(place_, path, "expected a list");
            for (std::size_t i = 0; i < value.size(); ++i) visit(value[i], path + "/" + std::to_string(i), depth + 1);
        }
        if (map_below.contains(key)) {
            if (!value.is_object()) refuse(place_, path, "expected an object");
            for (const auto& [name, one] : value.items()) visit(one, path + "/" + name, depth + 1);
        }
    }

    const std::string& place_;
    std::set<const Json*> schemas_;
    std::vector<std::pair<const Json*, std::string>> references_;
};

}  // namespace

struct JsonSchema::Checker {
    const Json& root;
    const std::string& place;
    int depth = 0;

    using Fault = std::string;

    Fault check(const Json& schema, const Json& value, const std::string& path) {
        if (schema.is_boolean()) return schema.get<bool>() ? Fault() : path + ": nothing is allowed here, found " + shown(value);
        if (++depth > max_depth) refuse(place, path, "references go round, or the value is nested too deep");
        Fault fault;
        if (schema.contains("$ref")) fault = check(target_of(root, schema["$ref"], place, "$ref"), value, path);
        for (const auto part : {&Checker::kinds, &Checker::choices, &Checker::object, &Checker::array, &Checker::scalar})
            if (fault.empty()) fault = (this->*part)(schema, value, path);
        --depth;
        return fault;
    }

    Fault kinds(const Json& schema, const Json& value, const std::string& path) {
        if (schema.contains("type")) {
            const Json wanted = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
            if (std::none_of(wanted.begin(), wanted.end(), [&](const Json& type) { return has_type(value, type.get<std::string>()); }))
                return path + ": expected " + (wanted.size() == 1 ? wanted[0].get<std::string>() : shown(wanted)) + ", found " + shown(value);
        }
        if (schema.contains("const") && value != schema["const"]) return path + ": expected " + shown(schema["const"]) + ", found " + shown(value);
        if (schema.contains("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
            return path + ": expected one of " + shown(schema["enum"]) + ", found " + shown(value);
        return {};
    }

    Fault choices(const Json& schema, const Json& value, const std::string& path) {
        if (schema.contains("allOf"))
            for (const Json& one : schema["allOf"])
                if (Fault fault = check(one, value, path); !fault.empty()) return fault;
        for (const char* key : {"anyOf", "oneOf"}) {
            if (!schema.contains(key)) continue;
            std::size_t fits = 0;
            for (const Json& one : schema[key]) fits += check(one, value, path).empty();
            if (fits == 0 || (fits > 1 && std::string(key) == "oneOf"))
                return path + ": fits " + std::to_string(fits) + " of the schemas of " + key + ", found " + shown(value);
        }
        if (schema.contains("not") && check(schema["not"], value, path).empty()) return path + ": must not be what it is, found " + shown(value);
        if (schema.contains("if")) {
            const char* const branch = check(schema["if"], value, path).empty() ? "then" : "else";
            if (schema.contains(branch)) return check(schema[branch], value, path);
        }
        return {};
    }

    Fault object(const Json& schema, const Json& value, const std::string& path) {
        if (!value.is_object()) return {};
        if (schema.contains("required"))
            for (const Json& name : schema["required"])
                if (!value.contains(name.get<std::string>())) return path + ": no field " + name.dump();
        const auto size = static_cast<std::int64_t>(value.size());
        if (schema.contains("minProperties") && size < schema["minProperties"]) return path + ": " + std::to_string(size) + " fields, too few";
        if (schema.contains("maxProperties") && size > schema["maxProperties"]) return path + ": " + std::to_string(size) + " fields, too many";
        for (const auto& [name, field] : value.items()) {
            const std::string below = path + "." + name;
            bool known = false;
            if (schema.contains("properties") && schema["properties"].contains(name)) {
                known = true;
                if (Fault fault = check(schema["properties"][name], field, below); !fault.empty()) return fault;
            }
            if (schema.contains("patternProperties"))
                for (const auto& [pattern, one] : schema["patternProperties"].items())
                    if (PythonRegex(pattern, place).search(name)) {
                        known = true;
                        if (Fault fault = check(one, field, below); !fault.empty()) return fault;
                    }
            if (known || !schema.contains("additionalProperties")) continue;
            const Json& others = schema["additionalProperties"];
            if (others.is_boolean() && !others.get<bool>()) return path + ": an unexpected field \"" + name + "\"";
            if (Fault fault = check(others, field, below); !fault.empty()) return fault;
        }
        return {};
    }

    Fault array(const Json& schema, const Json& value, const std::string& path) {
        if (!value.is_array()) return {};
        const auto size = static_cast<std::int64_t>(value.size());
        if (schema.contains("minItems") && size < schema["minItems"])
            return path + ": " + std::to_string(size) + " items, expected at least " + schema["minItems"].dump();
        if (schema.contains("maxItems") && size > schema["maxItems"])
            return path + ": " + std::to_string(size) + " items, expected at most " + schema["maxItems"].dump();
        const std::size_t first = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
        for (std::size_t i = 0; i < value.size(); ++i) {
            const Json* const one = i < first ? &schema["prefixItems"][i] : schema.contains("items") ? &schema["items"] : nullptr;
            if (one == nullptr) continue;
            if (Fault fault = check(*one, value[i], path + "[" + std::to_string(i) + "]"); !fault.empty()) return fault;
        }
        if (schema.contains("uniqueItems") && schema["uniqueItems"] == true)
            for (std::size_t i = 0; i < value.size(); ++i)
                if (std::find(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(i), value[i]) !=
                    value.begin() + static_cast<std::ptrdiff_t>(i))
                    return path + "[" + std::to_string(i) + "]: " + shown(value[i]) + " is there twice";
        if (schema.contains("contains") &&
            std::none_of(value.begin(), value.end(), [&](const Json& item) { return check(schema["contains"], item, path).empty(); }))
            return path + ": no item is what contains asks for";
        return {};
    }

    Fault scalar(const Json& schema, const Json& value, const std::string& path) {
        const auto bound = [&](const char* key, bool (*fits)(double, double), const char* words) -> Fault {
            if (!schema.contains(key) || fits(value.get<double>(), schema[key].get<double>())) return {};
            return path + ": expected " + words + " " + schema[key].dump() + ", found " + shown(value);
        };
        if (value.is_number()) {
            for (const Fault& fault : {bound(
                                           "minimum", [](double a, double b) { return a >= b; }, "at least"),
                                       bound(
                                           "maximum", [](double a, double b) { return a <= b; }, "at most"),
                                       bound(
                                           "exclusiveMinimum", [](double a, double b) { return a > b; }, "more than"),
                                       bound(
                                           "exclusiveMaximum", [](double a, double b) { return a < b; }, "less than"),
                                       bound(
                                           "multipleOf", [](double a, double b) { return std::remainder(a, b) == 0.0; }, "a multiple of")})
                if (!fault.empty()) return fault;
        }
        if (!value.is_string()) return {};
        const std::string& text = value.get_ref<const std::string&>();
        const std::int64_t length = characters(text);
        if (schema.contains("minLength") && length < schema["minLength"])
            return path + ": " + std::to_string(length) + " characters, expected at least " + schema["minLength"].dump();
        if (schema.contains("maxLength") && length > schema["maxLength"])
            return path + ": " + std::to_string(length) + " characters, expected at most " + schema["maxLength"].dump();
        if (schema.contains("pattern") && !PythonRegex(schema["pattern"].get<std::string>(), place).search(text))
            return path + ": " + shown(value) + " does not match " + schema["pattern"].dump();
        return {};
    }
};

JsonSchema::JsonSchema(Json schema, std::string place) : schema_(std::make_shared<const Json>(std::move(schema))), place_(std::move(place)) {
    const Declaration checked(*schema_, place_);
}

std::string JsonSchema::fault(const Json& value) const {
    Checker checker{*schema_, place_};
    return checker.check(*schema_, value, "$");
}

}  // namespace temper
