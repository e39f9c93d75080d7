#include <algorithm>
#include <array>

#include "io/jsonl.h"
#include "io/yaml.h"

namespace temper {
namespace {

bool safe_plain(const std::string& text) {
    static constexpr std::array reserved = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"};
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto inside = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/'; };
    if (text.empty() || !(letter(text[0]) || text[0] == '/' || text[0] == '_')) return false;
    if (!std::all_of(text.begin(), text.end(), inside)) return false;
    std::string lower = text;
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return std::find(reserved.begin(), reserved.end(), lower) == reserved.end();
}

std::string number_text(const Json& value) {
    std::string text = value.dump();
    // YAML 1.1 wants a point in every float: 1e-08 would be text there.
    const std::size_t exponent = text.find('e');
    if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
    return text;
}

std::string scalar_text(const Json& value) {
    if (value.is_string()) {
        const std::string& text = value.get_ref<const std::string&>();
        return safe_plain(text) ? text : value.dump();  // a JSON string is a YAML double-quoted scalar
    }
    if (value.is_number_float()) return number_text(value);
    return value.dump();  // integers, true, false, null, and the empty {} and []
}

void write(std::string& out, const Json& value, const std::string& indent);

void write_entry(std::string& out, const Json& value, const std::string& indent) {
    if (value.is_structured() && !value.empty()) {
        out += '\n';
        write(out, value, indent + "  ");
    } else {
        out += ' ';
        out += scalar_text(value);
        out += '\n';
    }
}

void write(std::string& out, const Json& value, const std::string& indent) {
    if (value.is_object()) {
        for (const auto& [key, entry] : value.items()) {
            out += indent + scalar_text(Json(key)) + ":";
            write_entry(out, entry, indent);
        }
    } else if (value.is_array()) {
        for (const Json& entry : value) {
            out += indent + "-";
            write_entry(out, entry, indent);
        }
    }
}

}  // namespace

std::string to_yaml(const Json& value) {
    std::string out;
    if (value.is_structured() && !value.empty()) {
        write(out, value, "");
    } else {
        out = scalar_text(value) + "\n";
    }
    return out;
}

}  // namespace temper
