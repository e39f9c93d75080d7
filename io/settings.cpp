#include "io/settings.h"

#include <algorithm>

#include <cstdlib>

#include <unistd.h>

#include "io/nearest.h"
#include "io/yaml.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }  // npos + 1 is 0

std::string joined(const std::string& section, const std::string& name) { return section.empty() ? name : section + "." + name; }

std::string environment_name(const std::string& prefix, const std::string& path) {
    std::string name = prefix + "_";
    for (const char c : path) {
        if (c == '.') {
            name += "__";
        } else {
            name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        }
    }
    return name;
}

}  // namespace

Check positive() {
    Check check;
    check.minimum = 0;
    check.open_minimum = true;
    return check;
}

Check positive_up_to(double maximum) {
    Check check = positive();
    check.maximum = maximum;
    return check;
}

Check at_least(double minimum) {
    Check check;
    check.minimum = minimum;
    return check;
}

Check range(double minimum, double maximum) {
    Check check;
    check.minimum = minimum;
    check.maximum = maximum;
    return check;
}

Check half_open(double minimum, double maximum) {
    Check check = range(minimum, maximum);
    check.open_maximum = true;
    return check;
}

Check one_of(std::vector<std::string> choices) {
    Check check;
    check.choices = std::move(choices);
    return check;
}

Check not_empty() {
    Check check;
    check.filled = true;
    return check;
}

std::string Field::name() const { return last_part(path); }

std::string Field::section() const {
    const std::size_t point = path.rfind('.');
    return point == std::string::npos ? "" : path.substr(0, point);
}

Field& Field::unit(const char* text) {
    unit_text = text;
    return *this;
}

Field& Field::differs(const char* text) {
    reference_default = text;
    return *this;
}

Field& Fields::add(const char* name, Target target, const char* help, Check check) {
    fields_.push_back({prefix_ + name, help, std::move(check), std::move(target), "", ""});
    return fields_.back();
}

const Field* Fields::find(const std::string& path) const {
    for (const Field& field : fields_)
        if (field.path == path) return &field;
    return nullptr;
}

std::string Settings::where(const std::string& path) const {
    const auto found = set_by_.find(path);
    return found == set_by_.end() ? "the default" : found->second.where;
}

std::string Settings::key_of(const std::string& path) const {
    const auto found = set_by_.find(path);
    return found == set_by_.end() ? "" : found->second.key;
}

std::string Settings::place(const YamlNode& node) const {
    return source_.has_lines ? fmt::format("{}:{}:{}", source_.name, node.line, node.column) : source_.name;
}

Settings::Settings(Fields fields, const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides)
    : Settings(std::move(fields)) {
    apply_yaml(yaml, place);
    apply_environment("TEMPER");
    for (const std::string& assignment : overrides) apply_override(assignment);
}

void Settings::apply_yaml(const std::string& text, const std::string& place_name) {
    source_ = {place_name, true, source_.number + 1};
    const YamlNode document = parse_yaml(text, place_name);
    if (document.kind == YamlNode::Kind::null) return;
    if (document.kind != YamlNode::Kind::map)
        throw_error(ExitCode::usage, "{}: expected \"key: value\" lines, found {}", place(document), document.describe());
    apply_map("", document);
}

void Settings::apply_environment(const std::string& prefix) {
    for (const Field& field : fields_.all()) {
        const std::string name = environment_name(prefix, field.path);
        const char* text = std::getenv(name.c_str());
        if (text == nullptr) continue;
        source_ = {"environment: " + name, false, source_.number + 1};
        YamlNode key;
        key.kind = YamlNode::Kind::scalar;
        key.text = name;
        apply_field(field, key, parse_yaml(text, source_.name));
        notes_.push_back(fmt::format("{} is taken from the environment ({})", field.path, name));
    }
    note_misspelt_variables(prefix);
}

// A name with one "_" where two belong, or another slip, sets nothing. Other variables of the prefix are further from every field.
void Settings::note_misspelt_variables(const std::string& prefix) {
    std::vector<std::string> known;
    for (const Field& field : fields_.all()) known.push_back(environment_name(prefix, field.path));
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const std::string name(text.substr(0, text.find('=')));
        if (!name.starts_with(prefix + "_") || std::find(known.begin(), known.end(), name) != known.end()) continue;
        const auto near = std::find_if(known.begin(), known.end(), [&](const std::string& other) { return edit_distance(name, other) <= 1; });
        if (near != known.end()) notes_.push_back(fmt::format("warning: {} in the environment sets nothing; did you mean {}?", name, *near));
    }
}

void Settings::apply_override(const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) throw_error(ExitCode::usage, "command line: expected key=value, found \"{}\"", assignment);
    source_ = {"command line: " + assignment, false, source_.number + 1};
    YamlNode key;
    key.kind = YamlNode::Kind::scalar;
    key.text = assignment.substr(0, equals);
    const YamlNode value = parse_yaml(assignment.substr(equals + 1), source_.name);
    apply_key("", key, value);
}

void Settings::apply_map(const std::string& section, const YamlNode& map) {
    for (std::size_t i = 0; i < map.keys.size(); ++i) apply_key(section, map.keys[i], map.values[i]);
}

void Settings::apply_key(const std::string& section, const YamlNode& key, const YamlNode& value) {
    const std::string path = joined(section, key.text);
    if (source_.has_lines && std::find(fields_.subtrees().begin(), fields_.subtrees().end(), path) != fields_.subtrees().end()) return;
    if (const Field* field = fields_.find(path)) return apply_field(*field, key, value);
    for (const auto& [name, help] : fields_.sections())
        if (name == path) return apply_section(path, key, value);
    if (apply_alias(path, key, value) || apply_outside(key, value)) return;
    if (section.empty() && apply_leaf(key, value)) return;
    fail_unknown(section, key);
}

void Settings::apply_section(const std::string& section, const YamlNode& key, const YamlNode& value) {
    if (value.kind == YamlNode::Kind::null) return;  // "lora:" with nothing under it
    if (value.kind == YamlNode::Kind::map) return apply_map(section, value);
    std::string hint;
    for (const Field& field : fields_.all())
        if (field.section() != section && field.name() == last_part(section)) hint = fmt::format("; did you mean {}?", field.path);
    throw_error(ExitCode::usage, "{}: {}: expected a map of settings, found {}{}", place(key), section, value.describe(), hint);
}

void Settings::apply_field(const Field& field, const YamlNode& key, const YamlNode& value) {
    const auto earlier = set_by_.find(field.path);
    if (earlier != set_by_.end() && earlier->second.source == source_.number)
        throw_error(ExitCode::usage, "{}: {} is given twice: as {} here, as {} at {}", place(key), field.path, key.text, earlier->second.key,
                    earlier->second.where);
    read_value(field, value, source_.name, source_.name, source_.has_lines);
    set_by_[field.path] = {source_.number, key.text, place(key)};
}

bool Settings::apply_alias(const std::string& path, const YamlNode& key, const YamlNode& value) {
    const std::string name = last_part(path);
    for (const auto& [alias, target] : fields_.aliases()) {
        if (alias != name) continue;
        const Field* field = fields_.find(target);
        if (field == nullptr) throw_error(ExitCode::internal, "settings: alias {} of {}, which is not declared", alias, target);
        apply_field(*field, key, value);
        notes_.push_back(fmt::format("{}: {} is recorded as {}", place(key), key.text, target));
        return true;
    }
    return false;
}

bool Settings::apply_outside(const YamlNode& key, const YamlNode& value) {
    const std::string name = last_part(key.text);
    for (const auto& [known, meaning] : fields_.outside_names()) {
        if (known != name) continue;
        if (value.kind != YamlNode::Kind::scalar && value.kind != YamlNode::Kind::null)
            throw_error(ExitCode::usage, "{}: {}: expected one value, found {}", place(value), name, value.describe());
        outside_[name] = {value.kind == YamlNode::Kind::null ? "null" : value.text, place(key)};
        return true;
    }
    return false;
}

// "learning_rate" at the top level, where one section alone has it: trainers with flat files are read as they are.
bool Settings::apply_leaf(const YamlNode& key, const YamlNode& value) {
    if (key.text.find('.') != std::string::npos) return false;
    std::vector<std::string> paths;
    for (const Field& field : fields_.all())
        if (field.name() == key.text) paths.push_back(field.path);
    if (paths.empty()) return false;
    if (paths.size() > 1)
        throw_error(ExitCode::usage, "{}: \"{}\" is ambiguous: {}; give the full path", place(key), key.text, fmt::join(paths, ", "));
    apply_field(*fields_.find(paths[0]), key, value);
    return true;
}

void Settings::fail_unknown(const std::string& section, const YamlNode& key) const {
    // A name of this section first, then any field by its last part, then any full path.
    std::vector<std::string> here, elsewhere, leaves, paths;
    for (const Field& field : fields_.all()) {
        if (field.section() == section) here.push_back(field.name());
        leaves.push_back(field.name());
        paths.push_back(field.path);
        if (field.name() == last_part(key.text)) elsewhere.push_back(field.path);
    }
    for (const auto& [name, help] : fields_.sections())
        if (section.empty()) here.push_back(name);
    const std::string inside = section.empty() ? "" : " in " + section;
    const auto fail = [&](const std::string& hint) {
        throw_error(ExitCode::usage, "{}: unknown key \"{}\"{}; {}", place(key), key.text, inside, hint);
    };
    if (const std::string explanation = fields_.explanation_of(key.text); !explanation.empty()) fail(explanation);
    if (!elsewhere.empty()) fail(fmt::format("did you mean {}?", fmt::join(elsewhere, " or ")));
    if (key.text.find('.') == std::string::npos) {
        const std::string near_here = nearest_name(key.text, here);
        const std::string near_leaf = nearest_name(key.text, leaves);
        const bool better_elsewhere =
            !near_leaf.empty() && (near_here.empty() || edit_distance(key.text, near_leaf) < edit_distance(key.text, near_here));
        if (better_elsewhere) {
            for (const std::string& path : paths)
                if (last_part(path) == near_leaf) fail(fmt::format("did you mean {}?", path));
        }
        if (!near_here.empty()) fail(fmt::format("did you mean {}?", joined(section, near_here)));
        std::vector<std::string> aliases;
        for (const auto& [alias, target] : fields_.aliases()) aliases.push_back(alias);
        const std::string near_alias = nearest_name(key.text, aliases);
        for (const auto& [alias, target] : fields_.aliases())
            if (alias == near_alias) fail(fmt::format("did you mean {} (recorded as {})?", alias, target));
    }
    const std::string near_path = nearest_name(joined(section, key.text), paths);
    if (!near_path.empty()) fail(fmt::format("did you mean {}?", near_path));
    fail(fmt::format("known{} are {}", inside, fmt::join(here, ", ")));
    std::abort();  // fail() throws
}

}  // namespace temper
