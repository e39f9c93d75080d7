// The methods of Python's str.
#include <algorithm>
#include <unordered_map>

#include "io/jinja/format.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

Value like(const Value& self, std::string text) { return Value::text(std::move(text), self.is_markup()); }

template <Side side> Value strip_method(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("strip", given, {""});
    return like(self, std::string(strip(self.text_bytes(), side, bound.optional_text(0))));
}

template <std::string (*convert)(std::string_view)> Value case_method(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("the method", given, {});
    run.budget().charge(self.text_bytes().size() / 16);
    return like(self, convert(self.text_bytes()));
}

template <bool from_right> Value split_method(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("split", given, {"sep", "maxsplit"});
    const std::string* separator = bound.optional_text(0);
    const std::int64_t most = bound.integer(1, -1);
    if (separator && separator->empty()) fail("split: empty separator");
    run.budget().charge(self.text_bytes().size() / 16);
    std::vector<Value> parts;
    for (const std::string_view part :
         separator ? split_by(self.text_bytes(), *separator, most, from_right) : split_space(self.text_bytes(), most, from_right))
        parts.push_back(like(self, std::string(part)));
    run.budget().charge(parts.size());
    return Value::list(std::move(parts));
}

Value splitlines(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("splitlines", given, {"keepends"});
    std::vector<Value> lines;
    for (const std::string_view line : split_lines(self.text_bytes(), bound.truth(0, false))) lines.push_back(like(self, std::string(line)));
    run.budget().charge(lines.size() + self.text_bytes().size() / 16);
    return Value::list(std::move(lines));
}

template <bool last> Value partition(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("partition", given, {""}, 1);
    const std::string &text = self.text_bytes(), &separator = bound.text(0);
    if (separator.empty()) fail("partition: empty separator");
    const std::size_t at = last ? text.rfind(separator) : text.find(separator);
    if (at == std::string::npos) {
        if (last) return Value::tuple({like(self, ""), like(self, ""), self});
        return Value::tuple({self, like(self, ""), like(self, "")});
    }
    return Value::tuple({like(self, text.substr(0, at)), like(self, separator), like(self, text.substr(at + separator.size()))});
}

// text[start:end] as find, count, startswith and endswith see it; `offset` is where it begins, in characters.
std::string_view part_of(const Value& self, const Bound& bound, std::int64_t& offset) {
    const std::string_view text = self.text_bytes();
    offset = 0;
    if (!bound.has(1) && !bound.has(2)) return text;
    const auto size = static_cast<std::int64_t>(character_count(text));
    const auto place = [&](std::size_t parameter, std::int64_t absent) {
        if (!bound.has(parameter) || bound[parameter]->is_none()) return absent;
        const std::int64_t at = bound.integer(parameter, absent);
        return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
    };
    if (bound.has(1) && bound[1]->is_integer() && bound.integer(1, 0) > size) {
        offset = -1;  // beyond the end not even an empty text is found
        return {};
    }
    offset = place(1, 0);
    const std::int64_t end = place(2, size);
    if (end < offset) {
        offset = -1;
        return {};
    }
    const std::size_t begin = character_offset(text, static_cast<std::size_t>(offset));
    const std::string_view rest = text.substr(begin);
    return rest.substr(0, character_offset(rest, static_cast<std::size_t>(end - offset)));
}

template <bool at_start> Value starts_or_ends(Interpreter&, const Value& self, Arguments& given) {
    const char* name = at_start ? "startswith" : "endswith";
    const Bound bound(name, given, {"", "", ""}, 1);
    std::int64_t offset = 0;
    const std::string_view text = part_of(self, bound, offset);
    const auto matches = [&](const Value& affix) {
        if (affix.is_undefined()) fail("{}", affix.as<Undefined>()->message());
        if (!affix.is_text()) fail("{}: expected a text or a tuple of texts, found '{}'", name, affix.type_name());
        return offset >= 0 && (at_start ? text.starts_with(affix.text_bytes()) : text.ends_with(affix.text_bytes()));
    };
    if (!bound[0]->is_tuple()) return Value::of(matches(*bound[0]));
    const std::vector<Value>& affixes = bound[0]->object<Sequence>()->items;
    return Value::of(std::ranges::any_of(affixes, matches));
}

template <bool last, bool must> Value find_method_of_text(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound(must ? "index" : "find", given, {"", "", ""}, 1);
    std::int64_t offset = 0;
    const std::string_view text = part_of(self, bound, offset);
    const std::size_t at = offset < 0 ? std::string_view::npos : last ? text.rfind(bound.text(0)) : text.find(bound.text(0));
    if (at != std::string_view::npos) return Value::of(offset + static_cast<std::int64_t>(character_count(text.substr(0, at))));
    if (must) fail("index: substring not found");
    return Value::of(std::int64_t(-1));
}

Value count_method(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("count", given, {"", "", ""}, 1);
    std::int64_t offset = 0;
    const std::string_view text = part_of(self, bound, offset);
    return Value::of(offset < 0 ? std::size_t(0) : count_of(text, bound.text(0)));
}

Value replace_method(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("replace", given, {"", "", ""}, 2);
    const std::string& with = bound.text(1);
    const bool escapes = self.is_markup() && !bound[1]->is_markup();
    return like(self, replaced(run.budget(), self.text_bytes(), bound.text(0), escapes ? escape_html(with) : with, bound.integer(2, -1)));
}

Value join_method(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("join", given, {""}, 1);
    std::string out;
    bool first = true;
    for (const Value& item : iterate(run.budget(), *bound[0])) {
        if (!item.is_text()) fail("join: expected texts, found '{}'", item.type_name());
        if (!first) out += self.text_bytes();
        first = false;
        out += item.text_bytes();
        run.budget().charge(item.text_bytes().size() / 16);
        if (out.size() > Budget::max_text) run.budget().charge_bytes(out.size());
    }
    return like(self, std::move(out));
}

template <bool at_start> Value remove_affix(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound(at_start ? "removeprefix" : "removesuffix", given, {""}, 1);
    const std::string &text = self.text_bytes(), &affix = bound.text(0);
    if (affix.empty() || !(at_start ? text.starts_with(affix) : text.ends_with(affix))) return self;
    return like(self, at_start ? text.substr(affix.size()) : text.substr(0, text.size() - affix.size()));
}

template <char align> Value pad_method(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("padding", given, {"", ""}, 1);
    const std::string& text = self.text_bytes();
    const std::string fill = bound.has(1) ? bound.text(1) : " ";
    if (character_count(fill) != 1) fail("the fill character must be exactly one character long");
    const std::int64_t width = bound.integer(0, 0), missing = width - static_cast<std::int64_t>(character_count(text));
    if (missing <= 0) return self;
    run.budget().charge_bytes(static_cast<std::size_t>(std::min<std::int64_t>(missing, std::int64_t(1) << 40)) * fill.size());
    const std::int64_t left = align == '<' ? 0 : align == '>' ? missing : missing / 2 + (missing & width & 1);
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += text;
    for (std::int64_t i = left; i < missing; ++i) out += fill;
    return like(self, std::move(out));
}

Value zfill(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("zfill", given, {""}, 1);
    std::string text = self.text_bytes();
    const std::int64_t missing = bound.integer(0, 0) - static_cast<std::int64_t>(character_count(text));
    if (missing <= 0) return self;
    run.budget().charge_bytes(static_cast<std::size_t>(std::min<std::int64_t>(missing, std::int64_t(1) << 40)));
    const bool has_sign = text.starts_with('-') || text.starts_with('+');
    text.insert(has_sign ? 1 : 0, static_cast<std::size_t>(missing), '0');
    return like(self, std::move(text));
}

// True when the text has characters and all of them pass.
template <bool (*passes)(char32_t)> Value all_are(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("the method", given, {});
    const std::string& text = self.text_bytes();
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at))
        if (!passes(character_at(text, at))) return Value::of(false);
    return Value::of(!text.empty());
}
bool is_alphanumeric(char32_t c) { return c != U'_' && is_word(c); }

template <bool (*test)(std::string_view)> Value text_is(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("the method", given, {});
    return Value::of(test(self.text_bytes()));
}
bool all_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Value format_method(Interpreter& run, const Value& self, Arguments& given) { return brace_format(run, self.text_bytes(), given); }

const std::unordered_map<std::string_view, Method>& methods() {
    static const std::unordered_map<std::string_view, Method> table = {{"strip", strip_method<Side::both>},
                                                                       {"lstrip", strip_method<Side::left>},
                                                                       {"rstrip", strip_method<Side::right>},
                                                                       {"upper", case_method<to_upper>},
                                                                       {"lower", case_method<to_lower>},
                                                                       {"title", case_method<to_title>},
                                                                       {"capitalize", case_method<to_capitalized>},
                                                                       {"swapcase", case_method<swap_case>},
                                                                       {"casefold", case_method<to_lower>},
                                                                       {"split", split_method<false>},
                                                                       {"rsplit", split_method<true>},
                                                                       {"splitlines", splitlines},
                                                                       {"partition", partition<false>},
                                                                       {"rpartition", partition<true>},
                                                                       {"startswith", starts_or_ends<true>},
                                                                       {"endswith", starts_or_ends<false>},
                                                                       {"find", find_method_of_text<false, false>},
                                                                       {"rfind", find_method_of_text<true, false>},
                                                                       {"index", find_method_of_text<false, true>},
                                                                       {"rindex", find_method_of_text<true, true>},
                                                                       {"count", count_method},
                                                                       {"replace", replace_method},
                                                                       {"join", join_method},
                                                                       {"removeprefix", remove_affix<true>},
                                                                       {"removesuffix", remove_affix<false>},
                                                                       {"ljust", pad_method<'<'>},
                                                                       {"rjust", pad_method<'>'>},
                                                                       {"center", pad_method<'^'>},
                                                                       {"zfill", zfill},
                                                                       {"isdigit", all_are<is_digit>},
                                                                       {"isspace", all_are<is_space>},
                                                                       {"isalpha", all_are<is_letter>},
                                                                       {"isalnum", all_are<is_alphanumeric>},
                                                                       {"isascii", text_is<all_ascii>},
                                                                       {"islower", text_is<is_cased_lower>},
                                                                       {"isupper", text_is<is_cased_upper>},
                                                                       {"format", format_method},
                                                                       // Known to Python, not offered here:
                                                                       {"encode", nullptr},
                                                                       {"expandtabs", nullptr},
                                                                       {"format_map", nullptr},
                                                                       {"isdecimal", nullptr},
                                                                       {"isidentifier", nullptr},
                                                                       {"isnumeric", nullptr},
                                                                       {"isprintable", nullptr},
                                                                       {"istitle", nullptr},
                                                                       {"maketrans", nullptr},
                                                                       {"translate", nullptr}};
    return table;
}

}  // namespace

MethodLookup find_text_method(std::string_view name) {
    const auto found = methods().find(name);
    if (found == methods().end()) return {};
    return {found->second ? MethodKind::usable : MethodKind::unsupported, found->second};
}

std::string replaced(Budget& budget, const std::string& text, const std::string& from, const std::string& to, std::int64_t most) {
    std::size_t count = count_of(text, from);
    if (most >= 0) count = std::min(count, static_cast<std::size_t>(most));
    budget.charge(text.size() / 16);
    if (count == 0) return text;
    if (to.size() > Budget::max_text / count) fail("replacing would exceed the limit of {} bytes", Budget::max_text);
    budget.charge_bytes(text.size() + count * to.size() - count * from.size());
    std::string out;
    std::size_t at = 0;
    if (from.empty()) {  // before every character, and at the end
        for (; count > 0; --count) {
            out += to;
            if (at >= text.size()) break;
            const std::size_t size = character_size(text, at);
            out.append(text, at, size);
            at += size;
        }
        return out.append(text, at);
    }
    for (; count > 0; --count) {
        const std::size_t found = text.find(from, at);
        out.append(text, at, found - at);
        out += to;
        at = found + from.size();
    }
    return out.append(text, at);
}

}  // namespace temper::jinja
