// One field's value: from a YAML node, checked, and back to JSON.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/jsonl.h"
#include "io/nearest.h"
#include "io/settings.h"
#include "io/yaml.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string bounds_text(const Check& check) {
    const bool low = std::isfinite(check.minimum), high = std::isfinite(check.maximum);
    if (low && high)
        return fmt::format(" in {}{}, {}{}", check.open_minimum ? '(' : '[', check.minimum, check.maximum, check.open_maximum ? ')' : ']');
    if (low) return fmt::format(" {} {}", check.open_minimum ? ">" : ">=", check.minimum);
    if (high) return fmt::format(" {} {}", check.open_maximum ? "<" : "<=", check.maximum);
    return "";
}

// Reads nodes into one field; every failure names the field, what it wants and what was found.
class Reader {
  public:
    Reader(const Field& field, const std::string& where, const std::string& source, bool has_lines)
        : field_(field), where_(where), source_(source), has_lines_(has_lines) {}

    void read(bool& value, const YamlNode& node) const {
        static const std::vector<std::string> yes = {"true", "True", "TRUE", "yes", "Yes", "on", "On"};
        static const std::vector<std::string> no = {"false", "False", "FALSE", "no", "No", "off", "Off"};
        const bool plain = node.kind == YamlNode::Kind::scalar && !node.quoted;
        if (plain && std::find(yes.begin(), yes.end(), node.text) != yes.end()) {
            value = true;
        } else if (plain && std::find(no.begin(), no.end(), node.text) != no.end()) {
            value = false;
        } else {
            fail(node, "true or false");
        }
    }

    void read(std::int64_t& value, const YamlNode& node) const {
        const std::string expected = "a whole number" + describe_check(field_.check);
        if (node.kind != YamlNode::Kind::scalar || node.quoted) fail(node, expected);
        const char* begin = node.text.data() + (node.text.starts_with('+') ? 1 : 0);
        const char* end = node.text.data() + node.text.size();
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (error == std::errc::result_out_of_range) fail(node, "a whole number of 64 bits");
        if (error != std::errc() || stop != end) fail(node, expected);
        check_bounds(static_cast<double>(value), node, expected);
    }

    void read(double& value, const YamlNode& node) const {
        const std::string expected = "a number" + describe_check(field_.check);
        if (node.kind != YamlNode::Kind::scalar || node.quoted) fail(node, expected);
        const char* begin = node.text.data() + (node.text.starts_with('+') ? 1 : 0);
        const char* end = node.text.data() + node.text.size();
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (error == std::errc::result_out_of_range) fail(node, "a number within float64");
        if (error != std::errc() || stop != end || !std::isfinite(value)) fail(node, expected);
        check_bounds(value, node, expected);
    }

    void read(std::string& value, const YamlNode& node) const {
        const Check& check = field_.check;
        const std::string expected = check.choices.empty() ? (check.filled ? "text that is not empty" : "text") : describe_choices();
        if (node.kind != YamlNode::Kind::scalar) fail(node, expected);
        if (check.filled && node.text.empty()) fail(node, expected);
        if (!check.choices.empty() && std::find(check.choices.begin(), check.choices.end(), node.text) == check.choices.end()) {
            const std::string nearest = nearest_name(node.text, check.choices);
            fail(node, nearest.empty() ? expected : fmt::format("{}; did you mean {}?", expected, nearest));
        }
        value = node.text;
    }

    template <class T> void read(std::optional<T>& value, const YamlNode& node) const {
        if (node.kind == YamlNode::Kind::null) {
            value.reset();
            return;
        }
        T held{};
        read(held, node);
        value = held;
    }

    // A single value stands for a list of one.
    template <class T> void read(std::vector<T>& values, const YamlNode& node) const {
        values.clear();
        if (node.kind == YamlNode::Kind::null) return;
        if (node.kind == YamlNode::Kind::map) fail(node, "a " + type_name(field_));
        if (node.kind == YamlNode::Kind::scalar) {
            read(values.emplace_back(), node);
            return;
        }
        for (const YamlNode& item : node.values) read(values.emplace_back(), item);
    }

    template <class T> void read(std::map<std::string, T>& values, const YamlNode& node) const {
        values.clear();
        if (node.kind == YamlNode::Kind::null) return;
        if (node.kind != YamlNode::Kind::map) fail(node, "a " + type_name(field_));
        for (std::size_t i = 0; i < node.keys.size(); ++i) read(values[node.keys[i].text], node.values[i]);
    }

    void read(RecordList& list, const YamlNode& node) const {
        list.clear();
        if (node.kind == YamlNode::Kind::null) return;
        if (node.kind != YamlNode::Kind::sequence) {
            read_record(list, node);
            return;
        }
        for (const YamlNode& item : node.values) read_record(list, item);
    }

  private:
    std::string place(const YamlNode& node) const {
        return has_lines_ && node.line > 0 ? fmt::format("{}:{}:{}", source_, node.line, node.column) : where_;
    }

    [[noreturn]] void fail(const YamlNode& node, const std::string& expected) const {
        throw_error(ExitCode::usage, "{}: {}: expected {}, found {}", place(node), field_.path, expected, node.describe());
    }

    std::string describe_choices() const { return "one of " + fmt::format("{}", fmt::join(field_.check.choices, ", ")); }

    void check_bounds(double value, const YamlNode& node, const std::string& expected) const {
        const Check& check = field_.check;
        const bool low = check.open_minimum ? value > check.minimum : value >= check.minimum;
        const bool high = check.open_maximum ? value < check.maximum : value <= check.maximum;
        if (!low || !high) fail(node, expected);
    }

    void read_record(RecordList& list, const YamlNode& node) const {
        list.append();
        const Fields fields = list.element(list.size() - 1);
        const Field* shorthand = fields.find(list.shorthand);
        if (node.kind == YamlNode::Kind::scalar) {
            read_named(*shorthand, node);
            return;
        }
        if (node.kind != YamlNode::Kind::map) fail(node, fmt::format("a {} or a map with {}", list.shorthand, list.shorthand));
        for (std::size_t i = 0; i < node.keys.size(); ++i) {
            const Field* field = fields.find(node.keys[i].text);
            if (field == nullptr) fail_record_key(fields, node.keys[i]);
            read_named(*field, node.values[i]);
        }
        if (node.find(list.shorthand) == nullptr) fail(node, fmt::format("a map with {}", list.shorthand));
    }

    void read_named(const Field& field, const YamlNode& node) const {
        Field named = field;
        named.path = field_.path + "." + field.path;
        read_value(named, node, where_, source_, has_lines_);
    }

    [[noreturn]] void fail_record_key(const Fields& fields, const YamlNode& key) const {
        std::vector<std::string> known;
        for (const Field& field : fields.all()) known.push_back(field.path);
        const std::string nearest = nearest_name(key.text, known);
        throw_error(ExitCode::usage, "{}: unknown key \"{}\" in {}; {}", place(key), key.text, field_.path,
                    nearest.empty() ? fmt::format("known are {}", fmt::join(known, ", ")) : fmt::format("did you mean {}?", nearest));
    }

    const Field& field_;
    const std::string& where_;
    const std::string& source_;
    bool has_lines_;
};

template <class T> Json to_json_value(const T& value) { return Json(value); }
template <class T> Json to_json_value(const std::optional<T>& value) { return value ? Json(*value) : Json(nullptr); }
template <class T> Json to_json_value(const std::map<std::string, T>& values) {
    Json object = Json::object();
    for (const auto& [key, value] : values) object[key] = value;
    return object;
}
Json to_json_value(const std::vector<std::string>& values) { return values.size() == 1 ? Json(values[0]) : Json(values); }

Json record_json(const Fields& fields, const Fields& defaults, const std::string& shorthand) {
    Json object = Json::object();
    bool plain = true;
    for (const Field& field : fields.all()) {
        const Json value = value_json(field);
        if (field.path != shorthand) plain = plain && value == value_json(*defaults.find(field.path));
        object[field.path] = value;
    }
    return plain ? object[shorthand] : object;
}

Json to_json_value(const std::shared_ptr<RecordList>& list) {
    const Fields defaults = list->defaults();
    Json array = Json::array();
    for (std::size_t i = 0; i < list->size(); ++i) array.push_back(record_json(list->element(i), defaults, list->shorthand));
    return array.size() == 1 && array[0].is_string() ? array[0] : array;
}

}  // namespace

std::string describe_check(const Check& check) {
    std::string text = bounds_text(check);
    if (!check.choices.empty()) text += fmt::format(" (one of {})", fmt::join(check.choices, ", "));
    return text;
}

void read_value(const Field& field, const YamlNode& value, const std::string& where, const std::string& source, bool has_lines) {
    const Reader reader(field, where, source, has_lines);
    std::visit([&](const auto& target) { reader.read(*target, value); }, field.target);
}

Json value_json(const Field& field) {
    return std::visit(
        [](const auto& target) {
            if constexpr (std::is_pointer_v<std::decay_t<decltype(target)>>) {
                return to_json_value(*target);
            } else {
                return to_json_value(target);
            }
        },
        field.target);
}

std::string type_name(const Field& field) {
    struct Namer {
        std::string operator()(const bool*) const { return "true or false"; }
        std::string operator()(const std::int64_t*) const { return "whole number"; }
        std::string operator()(const double*) const { return "number"; }
        std::string operator()(const std::string*) const { return "text"; }
        std::string operator()(const std::optional<double>*) const { return "number or null"; }
        std::string operator()(const std::optional<std::string>*) const { return "text or null"; }
        std::string operator()(const std::vector<std::string>*) const { return "text or list of texts"; }
        std::string operator()(const std::vector<double>*) const { return "number or list of numbers"; }
        std::string operator()(const std::vector<std::int64_t>*) const { return "whole number or list of whole numbers"; }
        std::string operator()(const std::map<std::string, double>*) const { return "map of names to numbers"; }
        std::string operator()(const std::map<std::string, std::int64_t>*) const { return "map of names to whole numbers"; }
        std::string operator()(const std::map<std::string, std::string>*) const { return "map of names to texts"; }
        std::string operator()(const std::shared_ptr<RecordList>& list) const {
            const Fields fields = list->defaults();
            std::string names;
            for (const Field& field : fields.all()) names += (names.empty() ? "" : ", ") + field.path;
            return list->shorthand + ", or list of {" + names + "}";
        }
    };
    return std::visit(Namer{}, field.target);
}

}  // namespace temper
