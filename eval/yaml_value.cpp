#include "eval/yaml_value.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "kernels/error.h"

namespace temper {
namespace {

bool is_one_of(const std::string& text, std::initializer_list<const char*> words) {
    for (const char* word : words)
        if (text == word) return true;
    return false;
}

std::string without(const std::string& text, char dropped) {
    std::string kept;
    for (const char c : text)
        if (c != dropped) kept += c;
    return kept;
}

bool all_of(std::string_view text, std::string_view allowed) { return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos; }

// [-+]?0b[0-1_]+ | [-+]?0[0-7_]+ | [-+]?(0|[1-9][0-9_]*) | [-+]?0x[0-9a-fA-F_]+
std::optional<std::int64_t> integer_of(const std::string& text) {
    const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::string_view digits = std::string_view(text).substr(sign);
    int base = 0;
    std::size_t skip = 0;
    if (digits.starts_with("0b") && all_of(digits.substr(2), "01_")) base = 2, skip = 2;
    else if (digits.starts_with("0x") && all_of(digits.substr(2), "0123456789abcdefABCDEF_")) base = 16, skip = 2;
    else if (digits.size() > 1 && digits[0] == '0' && all_of(digits.substr(1), "01234567_")) base = 8, skip = 1;
    else if (digits == "0" || (all_of(digits, "0123456789_") && digits[0] >= '1' && digits[0] <= '9')) base = 10;
    if (base == 0) return std::nullopt;
    const std::string plain = (text[0] == '-' ? "-" : "") + without(std::string(digits.substr(skip)), '_');
    errno = 0;
    char* end = nullptr;
    const long long value = std::strtoll(plain.c_str(), &end, base);
    if (errno != 0 || *end != '\0' || end == plain.c_str()) return std::nullopt;
    return value;
}

// [-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)? | \.[0-9][0-9_]*([eE][-+][0-9]+)? and the names of infinity and NaN
std::optional<double> real_of(const std::string& text) {
    if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return HUGE_VAL;
    if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"})) return -HUGE_VAL;
    if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::nan("");
    const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t mark = text.find_first_of("eE");
    const std::string mantissa = text.substr(sign, mark == std::string::npos ? std::string::npos : mark - sign);
    const std::size_t point = mantissa.find('.');
    if (point == std::string::npos || mantissa.find('.', point + 1) != std::string::npos || !all_of(without(mantissa, '.'), "0123456789_"))
        return std::nullopt;
    if (point == 0 ? sign != 0 || mantissa.size() < 2 || mantissa[1] == '_' : mantissa[0] == '_') return std::nullopt;
    if (mark != std::string::npos) {
        const std::string exponent = text.substr(mark + 1);
        if (exponent.size() < 2 || (exponent[0] != '-' && exponent[0] != '+') || !all_of(exponent.substr(1), "0123456789")) return std::nullopt;
    }
    return std::strtod(without(text, '_').c_str(), nullptr);
}

Json scalar_value(const YamlNode& node, const std::string& place) {
    const std::string& text = node.text;
    if (node.quoted) return text;
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
    if (is_one_of(text, {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) return true;
    if (is_one_of(text, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) return false;
    if (const std::optional<std::int64_t> integer = integer_of(text)) return *integer;
    if (const std::optional<double> real = real_of(text)) {
        if (!std::isfinite(*real)) throw_error(ExitCode::bad_data, "{}:{}:{}: {} is no number here", place, node.line, node.column, text);
        return *real;
    }
    return text;
}

}  // namespace

Json yaml_value(const YamlNode& node, const std::string& place) {
    switch (node.kind) {
        case YamlNode::Kind::null: return nullptr;
        case YamlNode::Kind::scalar: return scalar_value(node, place);
        case YamlNode::Kind::sequence: {
            Json list = Json::array();
            for (const YamlNode& item : node.values) list.push_back(yaml_value(item, place));
            return list;
        }
        case YamlNode::Kind::map: break;
    }
    Json map = Json::object();
    for (std::size_t i = 0; i < node.keys.size(); ++i) map[node.keys[i].text] = yaml_value(node.values[i], place);
    return map;
}

}  // namespace temper
