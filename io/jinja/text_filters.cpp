// Filters that make text.
#include <algorithm>
#include <unordered_map>

#include "io/jinja/format.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"
#include "io/python_regex.h"
#include "kernels/error.h"

namespace temper::jinja {
namespace {

bool markup(const Value& value) { return value.is_markup(); }

template <std::string (*convert)(std::string_view), bool keeps_markup = true> Value cased(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("the filter", given, {});
    const std::string text = text_of(value);
    run.budget().charge_bytes(text.size());
    return Value::text(convert(text), keeps_markup && markup(value));
}

// The title filter begins a word after a blank or an opening bracket, unlike str.title.
std::string title(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto separates = [&](std::size_t i) {
            const char32_t c = character_at(text, i);
            return is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<';
        };
        const bool apart = separates(at);
        std::size_t end = at;
        while (end < text.size() && separates(end) == apart) end += character_size(text, end);
        const std::string_view word = text.substr(at, end - at);
        const std::size_t first = character_size(word, 0);
        out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
        at = end;
    }
    return out;
}

Value trim(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("trim", given, {"chars"});
    const std::string text = text_of(value);
    run.budget().charge_bytes(text.size());
    return Value::text(std::string(strip(text, Side::both, bound.optional_text(0))), markup(value));
}

Value replace(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("replace", given, {"old", "new", "count"}, 2);
    const std::int64_t most = bound.has(2) && bound[2]->is_none() ? -1 : bound.integer(2, -1);
    return Value::text(replaced(run.budget(), text_of(value), text_of(*bound[0]), text_of(*bound[1]), most));
}

// Of lm-evaluation-harness: re.sub.
Value regex_replace(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("regex_replace", given, {"pattern", "repl", "count"}, 2);
    const std::string text = text_of(value);
    run.budget().charge_bytes(text.size());
    try {
        const PythonRegex regex(bound.text(0), "regex_replace");
        return Value::text(regex.replace(text, bound.text(1), static_cast<std::size_t>(std::max<std::int64_t>(0, bound.integer(2, 0)))));
    } catch (const Error& error) {
        fail("{}", error.what());
    }
}

Value string(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("string", given, {});
    return value.is_text() ? value : Value::text(text_of(value));
}

Value safe(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("safe", given, {});
    return Value::text(text_of(value), true);
}

Value escape(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("escape", given, {});
    return markup(value) ? value : Value::text(escape_html(text_of(value)), true);
}

Value force_escape(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("forceescape", given, {});
    return Value::text(escape_html(text_of(value)), true);
}

Value indent(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("indent", given, {"width", "first", "blank"});
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_text()) fail("indent: expected a text, found '{}'", value.type_name());
    const bool by_text = bound.has(0) && bound[0]->is_text();
    const std::int64_t width = by_text ? 0 : bound.integer(0, 4);
    run.budget().charge_bytes(static_cast<std::size_t>(std::clamp<std::int64_t>(width, 0, std::int64_t(1) << 40)));
    const std::string indention = by_text ? bound.text(0) : std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    const bool first = bound.truth(1, false), blank = bound.truth(2, false);
    const std::string text = value.text_bytes() + "\n";
    std::string out = first ? indention : "";
    bool is_first = true;
    for (const std::string_view line : split_lines(text, false)) {
        if (!is_first) out += '\n';
        if (!is_first && (blank || !line.empty())) out += indention;
        out += line;
        is_first = false;
        run.budget().charge_bytes(out.size());
    }
    return Value::text(std::move(out), markup(value));
}

Value word_count(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("wordcount", given, {});
    const std::string text = text_of(value);
    run.budget().charge_bytes(text.size());
    std::int64_t words = 0;
    bool inside = false;
    for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) {
        const bool word = is_word(character_at(text, at));
        words += word && !inside;
        inside = word;
    }
    return Value::of(words);
}

Value center(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("center", given, {"width"});
    Arguments width;
    width.positional.push_back(Value::of(bound.integer(0, 80)));
    return find_text_method("center").method(run, value.is_text() ? value : Value::text(text_of(value)), width);
}

Value format(Interpreter& run, const Value& value, Arguments& given) {
    if (!given.positional.empty() && !given.named.empty()) fail("format: positional and named arguments at the same time");
    Value values = Value::tuple(given.positional);
    if (!given.named.empty()) {
        std::vector<std::pair<Value, Value>> entries;
        for (const auto& [name, argument] : given.named) entries.emplace_back(Value::text(name), argument);
        values = Value::dict(std::move(entries));
    }
    return percent_format(run.budget(), value.is_text() ? value : Value::text(text_of(value)), values);
}

Value truncate(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("truncate", given, {"length", "killwords", "end", "leeway"});
    const std::int64_t length = bound.integer(0, 255), leeway = bound.has(3) && bound[3]->is_none() ? 5 : bound.integer(3, 5);
    const std::string end = bound.has(2) ? bound.text(2) : "...";
    const auto end_size = static_cast<std::int64_t>(character_count(end));
    if (length < end_size || leeway < 0) fail("truncate: length must be at least {} and leeway not negative", end_size);
    if (length_of(value) - length <= leeway) return value;
    if (!value.is_text()) fail("truncate: expected a text, found '{}'", value.type_name());
    const std::string_view all = value.text_bytes();
    std::string_view kept = all.substr(0, character_offset(all, static_cast<std::size_t>(length - end_size)));
    if (!bound.truth(1, false)) kept = split_by(kept, " ", 1, true)[0];
    return Value::text(std::string(kept) + end);
}

// Positional order of transformers' own tojson.
Value tojson(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("tojson", given, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ensure_ascii = bound.truth(0, false);
    style.sort_keys = bound.truth(3, false);
    if (bound.has(1) && bound[1]->is_text()) {
        style.indent = bound.text(1);
    } else if (bound.has(1) && !bound[1]->is_none()) {
        const std::int64_t width = bound.integer(1, 0);
        if (width > 1000) fail("tojson: an indent of {}", width);
        style.indent = std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    if (style.indent) style.item_separator = ",";
    if (bound.has(2) && !bound[2]->is_none()) {
        const std::vector<Value> both = iterate(run.budget(), *bound[2]);
        if (both.size() != 2 || !both[0].is_text() || !both[1].is_text()) fail("tojson: separators are two texts");
        style.item_separator = both[0].text_bytes();
        style.key_separator = both[1].text_bytes();
    }
    return Value::text(to_json(run.budget(), value, style));
}

}  // namespace

FilterFunction find_text_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterFunction> table = {
        {"upper", cased<to_upper>},
        {"lower", cased<to_lower>},
        {"capitalize", cased<to_capitalized>},
        {"title", cased<title, false>},
        {"trim", trim},
        {"replace", replace},
        {"regex_replace", regex_replace},
        {"string", string},
        {"safe", safe},
        {"escape", escape},
        {"e", escape},
        {"forceescape", force_escape},
        {"indent", indent},
        {"wordcount", word_count},
        {"center", center},
        {"format", format},
        {"truncate", truncate},
        {"tojson", tojson},
    };
    const auto found = table.find(name);
    return found == table.end() ? nullptr : found->second;
}

}  // namespace temper::jinja
