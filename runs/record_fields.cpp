#include "runs/record_fields.h"
#include "io/json_text.h"

namespace temper {
namespace {

// Of a list of objects that have a name, the last one of a name counts.
void visit_named(const Json& record, const char* list, const char* key, const FieldVisitor& visit) {
    const auto at = record.find(list);
    if (at == record.end() || !at->is_array()) return;
    for (const Json& entry : *at) {
        if (!entry.is_object() || !entry.contains(key) || !entry[key].is_string()) continue;
        const std::string name = std::string(list) + "." + entry[key].get<std::string>();
        for (const auto& [member, value] : entry.items())
            if (member != key) for_each_leaf(value, name + "." + member, visit);
    }
}

}  // namespace

void for_each_leaf(const Json& value, const std::string& name, const FieldVisitor& visit) {
    if (value.is_object()) {
        for (const auto& [key, inner] : value.items()) for_each_leaf(inner, name.empty() ? key : name + "." + key, visit);
    } else if (value.is_array()) {
        if (!value.empty()) visit(name, json_text(value));
    } else if (!value.is_null()) {
        visit(name, value);
    }
}

void for_each_field(const Json& record, const FieldVisitor& visit) {
    for (const auto& [name, value] : record.items()) {
        if (name == "command" && value.is_array()) {
            std::string line;
            for (const Json& word : value) line += (line.empty() ? "" : " ") + text_or_json(word);
            visit(name, line);
        } else if (!value.is_array()) {
            for_each_leaf(value, name, visit);
        }
    }
    visit_named(record, "stages", "name", visit);
    visit_named(record, "data", "role", visit);
}

std::string record_summary(const Json& record) {
    std::string text;
    for (const char* name : {"run_name", "kind", "parent_run_id", "created_at", "config_hash", "tags", "metrics"}) {
        const auto at = record.find(name);
        text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", name, at == record.end() ? "null" : json_text(*at));
    }
    return text;
}

}  // namespace temper
