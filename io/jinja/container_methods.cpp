// Methods of lists, tuples and dicts. Those that would change their object are forbidden, as in Jinja2's immutable sandbox.
#include <algorithm>
#include <array>

#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"

namespace temper::jinja {
namespace {

Value get(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("get", given, {"", ""}, 1);
    if (!bound[0]->is_undefined() && !is_hashable(*bound[0])) fail("unhashable type: '{}'", bound[0]->type_name());
    if (std::optional<Value> found = mapping_find(self, *bound[0])) return *std::move(found);
    return bound.has(1) ? *bound[1] : Value::none();
}

template <SequenceKind kind> Value view(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("the method", given, {});
    run.budget().charge(mapping_size(self));
    std::vector<Value> all;
    all.reserve(mapping_size(self));
    each_entry(self, [&](const Value& key, const Value& value) {
        if constexpr (kind == SequenceKind::keys) all.push_back(key);
        else if constexpr (kind == SequenceKind::values) all.push_back(value);
        else all.push_back(Value::tuple({key, value}));
    });
    return Value::list(std::move(all), kind);
}

Value copy(Interpreter&, const Value& self, Arguments& given) {
    const Bound bound("copy", given, {});
    return self;  // nothing can change either of them
}

Value count(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("count", given, {""}, 1);
    const std::vector<Value> items = iterate(run.budget(), self);
    return Value::of(static_cast<std::size_t>(std::ranges::count_if(items, [&](const Value& item) { return equal(item, *bound[0]); })));
}

Value index(Interpreter& run, const Value& self, Arguments& given) {
    const Bound bound("index", given, {"", "", ""}, 1);
    const std::vector<Value> items = iterate(run.budget(), self);
    const auto size = static_cast<std::int64_t>(items.size());
    const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size); };
    for (std::int64_t i = place(bound.integer(1, 0)); i < place(bound.integer(2, size)); ++i)
        if (equal(items[static_cast<std::size_t>(i)], *bound[0])) return Value::of(i);
    fail("index: the value is not in the list");
}

struct Entry {
    std::string_view name;
    MethodKind kind;
    Method method;
};
constexpr std::size_t table_size = 11;
constexpr std::array<Entry, table_size> dict_methods = {{{"get", MethodKind::usable, get},
                                                         {"items", MethodKind::usable, view<SequenceKind::items>},
                                                         {"keys", MethodKind::usable, view<SequenceKind::keys>},
                                                         {"values", MethodKind::usable, view<SequenceKind::values>},
                                                         {"copy", MethodKind::usable, copy},
                                                         {"fromkeys", MethodKind::unsupported, nullptr},
                                                         {"clear", MethodKind::forbidden, nullptr},
                                                         {"pop", MethodKind::forbidden, nullptr},
                                                         {"popitem", MethodKind::forbidden, nullptr},
                                                         {"setdefault", MethodKind::forbidden, nullptr},
                                                         {"update", MethodKind::forbidden, nullptr}}};
constexpr std::array<Entry, table_size> list_methods = {{{"index", MethodKind::usable, index},
                                                         {"count", MethodKind::usable, count},
                                                         {"copy", MethodKind::usable, copy},
                                                         {"append", MethodKind::forbidden, nullptr},
                                                         {"clear", MethodKind::forbidden, nullptr},
                                                         {"extend", MethodKind::forbidden, nullptr},
                                                         {"insert", MethodKind::forbidden, nullptr},
                                                         {"pop", MethodKind::forbidden, nullptr},
                                                         {"remove", MethodKind::forbidden, nullptr},
                                                         {"reverse", MethodKind::forbidden, nullptr},
                                                         {"sort", MethodKind::forbidden, nullptr}}};

MethodLookup find_in(const std::array<Entry, table_size>& table, std::string_view name, std::size_t first = table_size) {
    for (std::size_t i = 0; i < std::min(first, table.size()); ++i)
        if (table[i].name == name) return {table[i].kind, table[i].method};
    return {};
}

}  // namespace

MethodLookup find_container_method(const Value& self, std::string_view name) {
    if (self.is_mapping()) return find_in(dict_methods, name);
    if (self.is_list()) return find_in(list_methods, name);
    const Sequence* sequence = self.object<Sequence>();
    if (sequence && (sequence->kind == SequenceKind::tuple || sequence->kind == SequenceKind::range)) return find_in(list_methods, name, 2);
    return {};
}

MethodLookup find_method(const Value& self, std::string_view name) {
    if (name.starts_with("__")) return {MethodKind::forbidden, nullptr};
    return self.is_text() ? find_text_method(name) : find_container_method(self, name);
}

}  // namespace temper::jinja
