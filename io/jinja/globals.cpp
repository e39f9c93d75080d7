// The functions that every template can call, and the attributes of `loop`.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <locale>
#include <sstream>

#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"

namespace temper::jinja {
namespace {

constexpr std::int64_t max_range = 100'000;

Value range_function(Interpreter& run, Arguments& given) {
    const Bound bound("range", given, {"", "", ""}, 1);
    const std::int64_t start = bound.has(1) ? bound.integer(0, 0) : 0, stop = bound.integer(bound.has(1) ? 1 : 0, 0), step = bound.integer(2, 1);
    if (step == 0) fail("range: the step must not be zero");
    const double count = std::max(0.0, std::ceil((static_cast<double>(stop) - static_cast<double>(start)) / static_cast<double>(step)));
    if (count > max_range) fail("range: more than {} items", max_range);
    run.budget().charge(static_cast<std::size_t>(count));
    std::vector<Value> items;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) items.push_back(Value::of(start + i * step));
    auto sequence = std::make_shared<Sequence>();
    sequence->kind = SequenceKind::range;
    sequence->items = std::move(items);
    sequence->label = step == 1 ? fmt::format("range({}, {})", start, stop) : fmt::format("range({}, {}, {})", start, stop, step);
    return Value(Value::Data(std::move(sequence)));
}

// What dict(...) and namespace(...) take: a mapping or pairs, then named values on top.
std::vector<std::pair<Value, Value>> entries_of(Interpreter& run, const char* function, Arguments& given) {
    std::vector<std::pair<Value, Value>> entries;
    const auto put = [&](const Value& key, const Value& value) {
        if (!key.is_undefined() && !is_hashable(key)) fail("unhashable type: '{}'", key.type_name());
        run.budget().charge(entries.size() / 8 + 1);
        for (auto& [known, held] : entries)
            if (equal(known, key)) {
                held = value;
                return;
            }
        entries.emplace_back(key, value);
    };
    if (given.positional.size() > 1) fail("{} takes at most 1 positional argument, {} given", function, given.positional.size());
    if (!given.positional.empty()) {
        const Value& from = given.positional[0];
        if (from.is_undefined()) fail("{}", from.as<Undefined>()->message());
        if (from.is_mapping()) {
            each_entry(from, put);
        } else {
            for (const Value& pair : iterate(run.budget(), from)) {
                const std::vector<Value> both = iterate(run.budget(), pair);
                if (both.size() != 2) fail("{}: expected pairs of key and value, found {} items", function, both.size());
                put(both[0], both[1]);
            }
        }
    }
    for (const auto& [name, value] : given.named) put(Value::text(name), value);
    return entries;
}

Value dict_function(Interpreter& run, Arguments& given) { return Value::dict(entries_of(run, "dict", given)); }

Value namespace_function(Interpreter& run, Arguments& given) {
    std::vector<std::pair<Shared, Value>> attributes;
    for (const auto& [key, value] : entries_of(run, "namespace", given)) {
        if (!key.is_text()) fail("namespace: attribute names are texts, found '{}'", key.type_name());
        if (key.text_bytes().starts_with('_')) fail("a namespace attribute must not begin with an underscore: '{}'", key.text_bytes());
        attributes.emplace_back(key.as<Text>()->bytes, value);
    }
    return run.make_namespace(std::move(attributes));
}

Value raise_function(Interpreter&, Arguments& given) {
    const Bound bound("raise_exception", given, {"message"}, 1);
    fail("{}", text_of(*bound[0]));
}

// Local time without a zone: %z and %Z are empty and %f is zero, as the clock counts whole seconds.
Value strftime_function(Interpreter& run, Arguments& given) {
    const Bound bound("strftime_now", given, {"format"}, 1);
    std::string pattern;
    const std::string& wanted = bound.text(0);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] != '%' || i + 1 == wanted.size()) {
            pattern += wanted[i];
            continue;
        }
        const char c = wanted[++i];
        if (c == 'f') pattern += "000000";
        else if (c != 'z' && c != 'Z') (pattern += '%') += c;
    }
    if (pattern.empty()) return Value::text("");
    if (pattern.size() > 1000) fail("strftime_now: a format of {} bytes", pattern.size());
    const std::time_t now = run.now();
    std::tm parts{};
    localtime_r(&now, &parts);
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out << std::put_time(&parts, pattern.c_str());
    return Value::text(out.str());
}

Value make_function(const char* name, Value (*function)(Interpreter&, Arguments&)) {
    auto callable = std::make_shared<Callable>();
    callable->label = fmt::format("<function {}>", name);
    callable->call = function;
    return Value(Value::Data(std::move(callable)));
}

}  // namespace

std::optional<Value> global_function(std::string_view name) {
    static const std::pair<std::string_view, Value> functions[] = {{"range", make_function("range", range_function)},
                                                                   {"dict", make_function("dict", dict_function)},
                                                                   {"namespace", make_function("namespace", namespace_function)},
                                                                   {"raise_exception", make_function("raise_exception", raise_function)},
                                                                   {"strftime_now", make_function("strftime_now", strftime_function)}};
    for (const auto& [known, function] : functions)
        if (known == name) return function;
    return std::nullopt;
}

Value loop_attribute(const Ptr<Loop>& loop, const Shared& name) {
    const std::string_view what = *name;
    const std::size_t index0 = loop->index0, size = loop->items.size();
    if (what == "index0") return Value::of(index0);
    if (what == "index") return Value::of(index0 + 1);
    if (what == "first") return Value::of(index0 == 0);
    if (what == "last") return Value::of(index0 + 1 == size);
    if (what == "length") return Value::of(size);
    if (what == "revindex") return Value::of(size - index0);
    if (what == "revindex0") return Value::of(size - index0 - 1);
    if (what == "depth0") return Value::of(static_cast<std::int64_t>(loop->depth0));
    if (what == "depth") return Value::of(static_cast<std::int64_t>(loop->depth0 + 1));
    if (what == "previtem") return index0 == 0 ? Value::undefined_because("there is no previous item") : loop->items[index0 - 1];
    if (what == "nextitem") return index0 + 1 >= size ? Value::undefined_because("there is no next item") : loop->items[index0 + 1];
    if (what != "cycle" && what != "changed") return Value();
    auto callable = std::make_shared<Callable>();
    callable->label = fmt::format("<bound method LoopContext.{}>", what);
    if (what == "cycle") {
        callable->call = [loop](Interpreter&, Arguments& given) {
            if (!given.named.empty()) fail("cycle takes no named arguments");
            if (given.positional.empty()) fail("cycle: no items to cycle through");
            return given.positional[loop->index0 % given.positional.size()];
        };
    } else {
        callable->call = [loop](Interpreter&, Arguments& given) {
            if (!given.named.empty()) fail("changed takes no named arguments");
            const bool same = loop->asked_changed && equal(Value::tuple(loop->last_changed), Value::tuple(given.positional));
            loop->asked_changed = true;
            loop->last_changed = given.positional;
            return Value::of(!same);
        };
    }
    return Value(Value::Data(std::move(callable)));
}

}  // namespace temper::jinja
