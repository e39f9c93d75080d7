// What readers of a declaration want: the resolved values, a JSON Schema for editors, tables for the reference page.
#include <cmath>

#include "io/jsonl.h"
#include "io/settings.h"
#include "kernels/error.h"

namespace temper {
namespace {

// The object that a section's path names inside `root`, made where it is absent; `through` stands between levels ("properties").
Json& descend(Json& root, const std::string& section, const char* through) {
    Json* at = &root;
    std::size_t begin = 0;
    while (begin < section.size()) {
        const std::size_t end = std::min(section.find('.', begin), section.size());
        if (through != nullptr) at = &(*at)[through];
        at = &(*at)[section.substr(begin, end - begin)];
        begin = end + 1;
    }
    return *at;
}

Json bounded(Json schema, const Check& check) {
    if (std::isfinite(check.minimum)) schema[check.open_minimum ? "exclusiveMinimum" : "minimum"] = check.minimum;
    if (std::isfinite(check.maximum)) schema[check.open_maximum ? "exclusiveMaximum" : "maximum"] = check.maximum;
    if (!check.choices.empty()) schema["enum"] = check.choices;
    if (check.filled) schema["minLength"] = 1;
    return schema;
}

Json either(Json first, Json second) { return Json{{"anyOf", Json::array({std::move(first), std::move(second)})}}; }

Json record_schema(const std::shared_ptr<RecordList>& list);

struct TypeSchema {
    const Check& check;
    Json of(const char* type) const { return bounded(Json{{"type", type}}, check); }
    static Json null() { return Json{{"type", "null"}}; }
    static Json array(Json items) { return Json{{"type", "array"}, {"items", std::move(items)}}; }
    Json list_of(const char* type) const {
        Json schema = either(of(type), array(of(type)));
        schema["anyOf"].push_back(null());
        return schema;
    }
    Json map_or_null(const char* type) const { return either(Json{{"type", "object"}, {"additionalProperties", of(type)}}, null()); }

    Json operator()(const bool*) const { return of("boolean"); }
    Json operator()(const std::int64_t*) const { return of("integer"); }
    Json operator()(const double*) const { return of("number"); }
    Json operator()(const std::string*) const { return of("string"); }
    Json operator()(const std::optional<double>*) const { return either(of("number"), null()); }
    Json operator()(const std::optional<std::string>*) const { return either(of("string"), null()); }
    Json operator()(const std::vector<std::string>*) const { return either(of("string"), array(of("string"))); }
    Json operator()(const std::vector<double>*) const { return list_of("number"); }
    Json operator()(const std::vector<std::int64_t>*) const { return list_of("integer"); }
    Json operator()(const std::map<std::string, double>*) const { return map_or_null("number"); }
    Json operator()(const std::map<std::string, std::int64_t>*) const { return map_or_null("integer"); }
    Json operator()(const std::map<std::string, std::string>*) const { return map_or_null("string"); }
    Json operator()(const std::shared_ptr<RecordList>& list) const { return record_schema(list); }
};

Json property(const Field& field) {
    Json schema = std::visit(TypeSchema{field.check}, field.target);
    schema["default"] = value_json(field);
    schema["description"] = field.unit_text.empty() ? field.help : fmt::format("{} Unit: {}.", field.help, field.unit_text);
    return schema;
}

Json record_schema(const std::shared_ptr<RecordList>& list) {
    Json record{{"type", "object"}, {"additionalProperties", false}, {"required", Json::array({list->shorthand})}};
    const Fields fields = list->defaults();
    for (const Field& field : fields.all()) record["properties"][field.path] = property(field);
    const Json element = either(Json{{"type", "string"}}, record);
    Json schema = element;
    schema["anyOf"].push_back(Json{{"type", "array"}, {"items", element}});
    schema["anyOf"].push_back(Json{{"type", "null"}});
    return schema;
}

std::string cell(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string default_cell(const Field& field) {
    const Json value = value_json(field);
    if (value.is_array() && value.empty()) return "";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

// "number > 0, or null"
std::string type_cell(const Field& field) {
    std::string type = type_name(field);
    const bool optional = type.ends_with(" or null");
    if (optional) type.resize(type.size() - 8);
    return type + describe_check(field.check) + (optional ? ", or null" : "");
}

std::string table_of(const Fields& fields, const std::string& section) {
    std::string table = "| Field | Type | Default | Meaning |\n|---|---|---|---|\n";
    for (const Field& field : fields.all()) {
        if (field.section() != section) continue;
        std::string meaning = field.help;
        if (!field.unit_text.empty()) meaning += fmt::format(" Unit: {}.", field.unit_text);
        const std::string value = default_cell(field);
        table += fmt::format("| `{}` | {} | {} | {} |\n", field.path, cell(type_cell(field)), value.empty() ? "" : "`" + value + "`", cell(meaning));
    }
    return table;
}

std::string records_tables(const Fields& fields, const std::string& section) {
    std::string text;
    for (const Field& field : fields.all()) {
        const auto* list = std::get_if<std::shared_ptr<RecordList>>(&field.target);
        if (list == nullptr || field.section() != section) continue;
        const std::string table = table_of((*list)->defaults(), "");
        if (text.find(table) == std::string::npos) text += fmt::format("\nAn element of `{}`:\n\n{}", field.path, table);
    }
    return text;
}

}  // namespace

Json settings_json(const Fields& fields) {
    Json root = Json::object();
    for (const Field& field : fields.all()) descend(root, field.section(), nullptr)[field.name()] = value_json(field);
    return root;
}

Json settings_schema(const Fields& fields, const std::string& title) {
    Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}, {"type", "object"}, {"additionalProperties", false}};
    root["properties"] = Json::object();
    for (const Field& field : fields.all()) {
        if (field.section().empty()) root["properties"][field.name()] = property(field);
    }
    for (const auto& [path, help] : fields.sections()) {
        Json& section = descend(root, path, "properties");
        section = Json{{"type", "object"}, {"additionalProperties", false}, {"description", help}};
        for (const Field& field : fields.all())
            if (field.section() == path) section["properties"][field.name()] = property(field);
    }
    for (const auto& [alias, path] : fields.aliases())
        root["properties"][alias] = Json{{"deprecated", true}, {"description", fmt::format("Another name of {}.", path)}};
    for (const auto& [name, meaning] : fields.outside_names())
        if (!meaning.empty()) root["properties"][name] = Json{{"deprecated", true}, {"description", meaning}};
    return root;
}

std::string settings_markdown(const Fields& fields) {
    std::string text = table_of(fields, "") + records_tables(fields, "");
    for (const auto& [path, help] : fields.sections())
        text += fmt::format("\n## {}\n{}\n\n{}{}", path, help, table_of(fields, path), records_tables(fields, path));
    return text;
}

std::string settings_help(const Fields& fields) {
    std::string text;
    for (const Field& field : fields.all()) {
        const std::string value = default_cell(field);
        const std::string head = value.empty() ? field.path : fmt::format("{} [{}]", field.path, value);
        const std::string check = describe_check(field.check);
        const std::string limits = check.empty() || check[1] == '(' ? check : fmt::format(" ({})", check.substr(1));
        text += fmt::format("  {:<40} {}{}\n", head, field.help, limits);
    }
    return text;
}

}  // namespace temper
