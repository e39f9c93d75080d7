// Filters over lists and mappings. Those that Python writes as generators give a value that can be walked once and is always true.
#include <algorithm>
#include <unordered_map>

#include "io/jinja/interpreter.h"
#include "io/jinja/literals.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

Value generator(std::vector<Value> items) { return Value::list(std::move(items), SequenceKind::generator); }

// A generator does its work when it is walked: one that fails and is never walked does no harm.
template <FilterFunction filter> Value lazy(Interpreter& run, const Value& value, Arguments& given) {
    try {
        return filter(run, value, given);
    } catch (const Failure& failure) {
        auto sequence = std::make_shared<Sequence>();
        sequence->kind = SequenceKind::generator;
        sequence->failure = failure.what();
        return Value(Value::Data(std::move(sequence)));
    }
}

// "a.b.0" as the way from an item to what is asked of it; an integer is one step.
class AttributePath {
  public:
    explicit AttributePath(const Value& attribute) {
        if (attribute.is_none()) return;
        if (!attribute.is_text()) {
            steps_.push_back(attribute);
            return;
        }
        for (const std::string_view part : split_by(attribute.text_bytes(), ".", -1, false)) {
            const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
            const std::optional<std::int64_t> index = digits ? parse_integer(part, 10) : std::nullopt;
            steps_.push_back(index ? Value::of(*index) : Value::text(std::string(part)));
        }
    }
    Value of(Interpreter& run, Value item, const Value* otherwise = nullptr) const {
        for (const Value& step : steps_) {
            item = run.item(item, step);
            if (otherwise && item.is_undefined()) item = *otherwise;
        }
        return item;
    }

  private:
    std::vector<Value> steps_;
};

Value without_case(const Value& value, bool case_sensitive) {
    return !case_sensitive && value.is_text() ? Value::text(to_lower(value.text_bytes())) : value;
}

Value first(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("first", given, {});
    const std::vector<Value> items = iterate(run.budget(), value);
    return items.empty() ? Value::undefined_because("no first item, the sequence was empty") : items.front();
}

Value last(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("last", given, {});
    const Sequence* sequence = value.object<Sequence>();
    if (sequence && sequence->kind == SequenceKind::generator) fail("last: a generator can not be read from its end");
    const std::vector<Value> items = iterate(run.budget(), value);
    return items.empty() ? Value::undefined_because("no last item, the sequence was empty") : items.back();
}

Value length(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("length", given, {});
    return Value::of(length_of(value));
}

Value otherwise(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("default", given, {"default_value", "boolean"});
    const bool replaced = value.is_undefined() || (bound.truth(1, false) && !truthy(value));
    if (!replaced) return value;
    return bound.has(0) ? *bound[0] : Value::text("");
}

Value list(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("list", given, {});
    return Value::list(iterate(run.budget(), value));
}

Value items(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("items", given, {});
    if (value.is_undefined()) return generator({});
    if (!value.is_mapping()) fail("items: expected a mapping, found '{}'", value.type_name());
    std::vector<Value> pairs;
    run.budget().charge(mapping_size(value));
    each_entry(value, [&](const Value& key, const Value& item) { pairs.push_back(Value::tuple({key, item})); });
    return generator(std::move(pairs));
}

Value join(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("join", given, {"d", "attribute"});
    const std::string separator = bound.has(0) ? text_of(*bound[0]) : "";
    const AttributePath path(bound.has(1) ? *bound[1] : Value::none());
    std::string out;
    bool is_first = true;
    for (const Value& item : iterate(run.budget(), value)) {
        const std::size_t before = out.size();
        if (!is_first) out += separator;
        is_first = false;
        append_text(out, path.of(run, item));
        run.budget().charge((out.size() - before) / 16 + 1);
        if (out.size() > Budget::max_text) run.budget().charge_bytes(out.size());
    }
    return Value::text(std::move(out));
}

using Keyed = std::pair<std::vector<Value>, Value>;
// As lists of keys compare: by the first pair that differs, so that equal keys need no order.
bool keys_less(const std::vector<Value>& a, const std::vector<Value>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!equal(a[i], b[i])) return order(a[i], b[i]) == -1;
    return false;
}

enum class KeyIs { list, value };
std::vector<Value> sorted(Interpreter& run, std::vector<Keyed> keyed, KeyIs kind, bool reverse) {
    const auto less = [&](const Keyed& a, const Keyed& b) {
        return kind == KeyIs::list ? keys_less(a.first, b.first) : order(a.first[0], b.first[0]) == -1;
    };
    for (std::size_t n = keyed.size(); n > 1; n /= 2) run.budget().charge(keyed.size());
    std::ranges::stable_sort(keyed, [&](const Keyed& a, const Keyed& b) { return reverse ? less(b, a) : less(a, b); });
    std::vector<Value> out;
    for (Keyed& entry : keyed) out.push_back(std::move(entry.second));
    return out;
}

Value sort(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("sort", given, {"reverse", "case_sensitive", "attribute"});
    std::vector<AttributePath> paths;
    if (bound.has(2) && bound[2]->is_text())
        for (const std::string_view part : split_by(bound.text(2), ",", -1, false)) paths.emplace_back(Value::text(std::string(part)));
    else paths.emplace_back(bound.has(2) ? *bound[2] : Value::none());
    std::vector<Keyed> keyed;
    for (Value& item : iterate(run.budget(), value)) {
        std::vector<Value> key;
        for (const AttributePath& path : paths) key.push_back(without_case(path.of(run, item), bound.truth(1, false)));
        keyed.emplace_back(std::move(key), std::move(item));
    }
    return Value::list(sorted(run, std::move(keyed), KeyIs::list, bound.truth(0, false)));
}

Value dict_sort(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("dictsort", given, {"case_sensitive", "by", "reverse"});
    const std::string by = bound.has(1) ? bound.text(1) : "key";
    if (by != "key" && by != "value") fail("dictsort: by is 'key' or 'value', not '{}'", by);
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_mapping()) fail("dictsort: expected a mapping, found '{}'", value.type_name());
    std::vector<Keyed> keyed;
    each_entry(value, [&](const Value& key, const Value& item) {
        keyed.push_back({{without_case(by == "key" ? key : item, bound.truth(0, false))}, Value::tuple({key, item})});
    });
    return Value::list(sorted(run, std::move(keyed), KeyIs::value, bound.truth(2, false)));
}

Value unique(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("unique", given, {"case_sensitive", "attribute"});
    const AttributePath path(bound.has(1) ? *bound[1] : Value::none());
    std::vector<Value> seen, kept;
    for (Value& item : iterate(run.budget(), value)) {
        Value key = without_case(path.of(run, item), bound.truth(0, false));
        if (!key.is_undefined() && !is_hashable(key)) fail("unique: unhashable type '{}'", key.type_name());
        run.budget().charge(seen.size() / 4 + 1);
        if (std::ranges::any_of(seen, [&](const Value& known) { return equal(known, key); })) continue;
        seen.push_back(std::move(key));
        kept.push_back(std::move(item));
    }
    return generator(std::move(kept));
}

Value reverse(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("reverse", given, {});
    if (value.is_text()) return slice(run.budget(), value, Value::none(), Value::none(), Value::of(std::int64_t(-1)));
    const bool walked_once = value.object<Sequence>() && value.object<Sequence>()->kind == SequenceKind::generator;
    std::vector<Value> all = iterate(run.budget(), value);
    std::ranges::reverse(all);
    return walked_once ? Value::list(std::move(all)) : generator(std::move(all));
}

template <bool largest> Value extreme(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound(largest ? "max" : "min", given, {"case_sensitive", "attribute"});
    const AttributePath path(bound.has(1) ? *bound[1] : Value::none());
    const std::vector<Value> all = iterate(run.budget(), value);
    if (all.empty()) return Value::undefined_because("no aggregated item, the sequence was empty");
    const auto key = [&](const Value& item) { return without_case(path.of(run, item), bound.truth(0, false)); };
    const Value* best = &all[0];
    Value best_key = key(all[0]);
    for (std::size_t i = 1; i < all.size(); ++i) {
        Value other = key(all[i]);
        if (order(other, best_key) != (largest ? 1 : -1)) continue;
        best = &all[i];
        best_key = std::move(other);
    }
    return *best;
}

Value sum(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("sum", given, {"attribute", "start"});
    const AttributePath path(bound.has(0) ? *bound[0] : Value::none());
    Value total = bound.has(1) ? *bound[1] : Value::of(std::int64_t(0));
    if (total.is_text()) fail("sum: texts can not be summed; use join");
    for (const Value& item : iterate(run.budget(), value)) total = calculate(run.budget(), Operator::add, total, path.of(run, item));
    return total;
}

Value map(Interpreter& run, const Value& value, Arguments& given) {
    if (!truthy(value)) return generator({});
    std::vector<Value> out;
    std::optional<Value> by_attribute = given.positional.empty() ? given.pop("attribute") : std::nullopt;
    if (by_attribute) {
        const std::optional<Value> fallback = given.pop("default");
        if (!given.named.empty()) fail("map takes no argument named '{}'", *given.named[0].first);
        const AttributePath path(*by_attribute);
        const bool has_fallback = fallback && !fallback->is_none();
        for (const Value& item : iterate(run.budget(), value)) out.push_back(path.of(run, item, has_fallback ? &*fallback : nullptr));
        return generator(std::move(out));
    }
    if (given.positional.empty()) fail("map needs the name of a filter, or attribute=");
    const std::string name = text_of(given.positional[0]);
    given.positional.erase(given.positional.begin());
    for (const Value& item : iterate(run.budget(), value)) {
        Arguments each = given;
        out.push_back(run.filtered(name, item, each));
    }
    return generator(std::move(out));
}

template <bool keep, bool by_attribute> Value selected(Interpreter& run, const Value& value, Arguments& given) {
    if (!truthy(value)) return generator({});
    AttributePath path((Value::none()));
    if (by_attribute) {
        if (given.positional.empty()) fail("selectattr and rejectattr need the name of an attribute");
        path = AttributePath(given.positional[0]);
        given.positional.erase(given.positional.begin());
    }
    std::string test;
    if (!given.positional.empty()) {
        test = text_of(given.positional[0]);
        given.positional.erase(given.positional.begin());
    }
    std::vector<Value> kept;
    for (Value& item : iterate(run.budget(), value)) {
        const Value subject = path.of(run, item);
        Arguments each = given;
        const bool passes = test.empty() ? truthy(subject) : run.tested(test, subject, each);
        if (passes == keep) kept.push_back(std::move(item));
    }
    return generator(std::move(kept));
}

Value batch(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("batch", given, {"linecount", "fill_with"}, 1);
    const std::int64_t size = bound.integer(0, 1);
    std::vector<Value> rows, row;
    for (Value& item : iterate(run.budget(), value)) {
        if (static_cast<std::int64_t>(row.size()) == size) rows.push_back(Value::list(std::exchange(row, {})));
        row.push_back(std::move(item));
    }
    if (row.empty()) return generator(std::move(rows));
    if (bound.has(1) && !bound[1]->is_none())
        while (static_cast<std::int64_t>(row.size()) < size) {
            run.budget().charge();
            row.push_back(*bound[1]);
        }
    rows.push_back(Value::list(std::move(row)));
    return generator(std::move(rows));
}

Value group_by(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("groupby", given, {"attribute", "default", "case_sensitive"}, 1);
    const AttributePath path(*bound[0]);
    const Value* fallback = bound.has(1) && !bound[1]->is_none() ? bound[1] : nullptr;
    std::vector<Keyed> keyed;
    for (Value& item : iterate(run.budget(), value)) {
        Value key = without_case(path.of(run, item, fallback), bound.truth(2, false));
        keyed.push_back({{std::move(key)}, std::move(item)});
    }
    std::vector<Value> groups, group;
    Value group_key;
    const auto close = [&] {
        if (group.empty()) return;
        Value label = path.of(run, group[0], fallback);
        groups.push_back(Value::tuple({std::move(label), Value::list(std::exchange(group, {}))}));
    };
    for (Value& item : sorted(run, std::move(keyed), KeyIs::value, false)) {
        Value key = without_case(path.of(run, item, fallback), bound.truth(2, false));
        if (!group.empty() && !equal(key, group_key)) close();
        group_key = std::move(key);
        group.push_back(std::move(item));
    }
    close();
    return Value::list(std::move(groups));
}

Value attribute(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("attr", given, {"name"}, 1);
    const Shared name = std::make_shared<const std::string>(bound.text(0));
    if (value.is_mapping() && find_method(value, *name).kind == MethodKind::absent) return Value::undefined(name, "dict object");
    return run.attribute(value, name);
}

}  // namespace

FilterFunction find_sequence_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterFunction> table = {
        {"first", first},
        {"last", last},
        {"length", length},
        {"count", length},
        {"default", otherwise},
        {"d", otherwise},
        {"list", list},
        {"items", lazy<items>},
        {"join", join},
        {"sort", sort},
        {"dictsort", dict_sort},
        {"unique", lazy<unique>},
        {"reverse", reverse},
        {"min", extreme<false>},
        {"max", extreme<true>},
        {"sum", sum},
        {"map", lazy<map>},
        {"select", lazy<selected<true, false>>},
        {"reject", lazy<selected<false, false>>},
        {"selectattr", lazy<selected<true, true>>},
        {"rejectattr", lazy<selected<false, true>>},
        {"batch", lazy<batch>},
        {"groupby", group_by},
        {"attr", attribute},
    };
    const auto found = table.find(name);
    return found == table.end() ? nullptr : found->second;
}

}  // namespace temper::jinja
