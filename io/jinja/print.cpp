#include "io/jinja/print.h"

#include <charconv>
#include <cmath>

#include "io/jinja/text.h"

namespace temper::jinja {

std::string float_repr(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    char buffer[32] = {};
    std::to_chars(buffer, buffer + sizeof buffer - 1, std::abs(number), std::chars_format::scientific);
    const std::string_view written = buffer;
    const std::size_t mark = written.find('e');
    std::string digits(written.substr(0, mark));
    std::erase(digits, '.');
    const int exponent = std::atoi(buffer + mark + 1);
    std::string out = std::signbit(number) ? "-" : "";
    const int size = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        out += digits[0];
        if (size > 1) out += "." + digits.substr(1);
        return out + fmt::format("e{}{:02d}", exponent < 0 ? '-' : '+', std::abs(exponent));
    }
    if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (size <= exponent + 1) return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - size), '0') + ".0";
    return out + digits.substr(0, static_cast<std::size_t>(exponent + 1)) + "." + digits.substr(static_cast<std::size_t>(exponent + 1));
}

static void append_quoted(std::string& out, std::string_view text) {
    const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
    out += quote;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_size(text, at);
        const char32_t c = character_at(text, at);
        if (c == static_cast<char32_t>(quote) || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c == '\n') out += "\\n";
        else if (c == '\r') out += "\\r";
        else if (c == '\t') out += "\\t";
        else if (is_printable(c)) out += text.substr(at, size);
        else if (c < 0x100) out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
        else if (c < 0x10000) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
        at += size;
    }
    out += quote;
}

static void append_items(std::string& out, const std::vector<Value>& items, int level) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i) out += ", ";
        append_repr(out, items[i], level + 1);
    }
}

static void append_sequence(std::string& out, const Sequence& sequence, int level) {
    switch (sequence.kind) {
        case SequenceKind::list:
            out += '[';
            append_items(out, sequence.items, level);
            out += ']';
            return;
        case SequenceKind::tuple:
            out += '(';
            append_items(out, sequence.items, level);
            out += sequence.items.size() == 1 ? ",)" : ")";
            return;
        case SequenceKind::range: out += sequence.label; return;
        case SequenceKind::generator: out += "<generator object>"; return;
        default: break;
    }
    out += sequence.kind == SequenceKind::keys ? "dict_keys([" : sequence.kind == SequenceKind::values ? "dict_values([" : "dict_items([";
    append_items(out, sequence.items, level);
    out += "])";
}

static void append_attributes(std::string& out, const Namespace& names, int level) {
    out += "<Namespace {";
    for (std::size_t i = 0; i < names.attributes.size(); ++i) {
        if (i) out += ", ";
        append_quoted(out, *names.attributes[i].first);
        out += ": ";
        append_repr(out, names.attributes[i].second, level + 1);
    }
    out += "}>";
}

void append_repr(std::string& out, const Value& value, int level) {
    if (level > max_value_depth) fail("a value is nested more than {} levels deep", max_value_depth);
    if (out.size() > Budget::max_text) fail("a text exceeds the limit of {} bytes", Budget::max_text);
    if (value.is_undefined()) {
        out += "Undefined";
    } else if (value.is_none()) {
        out += "None";
    } else if (const bool* b = value.as<bool>()) {
        out += *b ? "True" : "False";
    } else if (const auto* i = value.as<std::int64_t>()) {
        out += std::to_string(*i);
    } else if (const double* d = value.as<double>()) {
        out += float_repr(*d);
    } else if (const Text* text = value.as<Text>()) {
        if (text->markup) out += "Markup(";
        append_quoted(out, *text->bytes);
        if (text->markup) out += ')';
    } else if (value.is_mapping()) {
        out += '{';
        bool first = true;
        each_entry(value, [&](const Value& key, const Value& item) {
            if (!first) out += ", ";
            first = false;
            append_repr(out, key, level + 1);
            out += ": ";
            append_repr(out, item, level + 1);
        });
        out += '}';
    } else if (const auto* json = value.as<const Json*>()) {
        out += '[';
        for (std::size_t at = 0; at < (*json)->size(); ++at) {
            if (at) out += ", ";
            append_repr(out, Value::json((**json)[at]), level + 1);
        }
        out += ']';
    } else if (const Sequence* sequence = value.object<Sequence>()) {
        append_sequence(out, *sequence, level);
    } else if (const Namespace* names = value.object<Namespace>()) {
        append_attributes(out, *names, level);
    } else if (const Callable* callable = value.object<Callable>()) {
        out += callable->label;
    } else {
        out += "<LoopContext>";
    }
}

void append_text(std::string& out, const Value& value) {
    value.require_defined();
    if (value.is_undefined()) return;
    if (value.is_text()) out += value.text_bytes();
    else append_repr(out, value);
}
std::string text_of(const Value& value) {
    std::string out;
    append_text(out, value);
    return out;
}
std::string repr_of(const Value& value) {
    std::string out;
    append_repr(out, value);
    return out;
}

}  // namespace temper::jinja
