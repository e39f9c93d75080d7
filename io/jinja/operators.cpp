#include "io/jinja/operators.h"

#include <cmath>

#include "io/jinja/text.h"

namespace temper::jinja {

bool truthy(const Value& value) {
    value.require_defined();
    if (value.is_undefined() || value.is_none()) return false;
    if (const bool* b = value.as<bool>()) return *b;
    if (const auto* i = value.as<std::int64_t>()) return *i != 0;
    if (const double* d = value.as<double>()) return *d != 0;
    if (value.is_text()) return !value.text_bytes().empty();
    if (const auto* json = value.as<const Json*>()) return !(*json)->empty();
    if (const Dict* dict = value.object<Dict>()) return !dict->entries.empty();
    const Sequence* sequence = value.object<Sequence>();
    return !sequence || sequence->kind == SequenceKind::generator || !sequence->items.empty();
}

// Exact, although one side may have more digits than the other's type can hold.
static int order_numbers(const Value& a, const Value& b) {
    if (a.is_integer() && b.is_integer()) {
        const auto x = a.integer(), y = b.integer();
        return x < y ? -1 : x > y;
    }
    if (a.as<double>() && b.as<double>()) {
        const double x = *a.as<double>(), y = *b.as<double>();
        if (std::isnan(x) || std::isnan(y)) return 2;
        return x < y ? -1 : x > y;
    }
    if (b.is_integer()) {
        const int turned = order_numbers(b, a);
        return turned == 2 ? 2 : -turned;
    }
    const double y = *b.as<double>();
    if (std::isnan(y)) return 2;
    if (y >= 9223372036854775808.0) return -1;
    if (y < -9223372036854775808.0) return 1;
    const auto x = a.integer(), whole = static_cast<std::int64_t>(std::trunc(y));
    if (x != whole) return x < whole ? -1 : 1;
    const double rest = y - std::trunc(y);
    return rest > 0 ? -1 : rest < 0;
}

// Items of a list or tuple without copying the container's Json.
static std::size_t sequence_size(const Value& value) {
    if (const auto* json = value.as<const Json*>()) return (*json)->size();
    return value.object<Sequence>()->items.size();
}
static Value sequence_at(const Value& value, std::size_t index) {
    if (const auto* json = value.as<const Json*>()) return Value::json((**json)[index]);
    return value.object<Sequence>()->items[index];
}

static bool equal_mappings(const Value& a, const Value& b, int level) {
    if (mapping_size(a) != mapping_size(b)) return false;
    bool same = true;
    each_entry(a, [&](const Value& key, const Value& value) {
        if (!same) return;
        const std::optional<Value> other = mapping_find(b, key);
        same = other && equal(value, *other, level + 1);
    });
    return same;
}

bool equal(const Value& a, const Value& b, int level) {
    a.require_defined();
    b.require_defined();
    if (level > max_value_depth) fail("a value is nested more than {} levels deep", max_value_depth);
    if (a.is_text() && b.is_text()) return a.text_bytes() == b.text_bytes();
    if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
    if (a.is_mapping() && b.is_mapping()) return equal_mappings(a, b, level);
    if ((a.is_list() && b.is_list()) || (a.is_tuple() && b.is_tuple())) {
        const std::size_t size = sequence_size(a);
        if (size != sequence_size(b)) return false;
        for (std::size_t i = 0; i < size; ++i)
            if (!equal(sequence_at(a, i), sequence_at(b, i), level + 1)) return false;
        return true;
    }
    if (a.data().index() != b.data().index()) return false;
    if (a.is_undefined() || a.is_none()) return true;
    if (const Sequence* x = a.object<Sequence>()) {
        const Sequence* y = b.object<Sequence>();
        if (x == y) return true;
        if (x->kind != y->kind || x->kind == SequenceKind::generator || x->items.size() != y->items.size()) return false;
        for (std::size_t i = 0; i < x->items.size(); ++i)
            if (!equal(x->items[i], y->items[i], level + 1)) return false;
        return true;
    }
    return (a.object<Namespace>() && a.object<Namespace>() == b.object<Namespace>()) ||
           (a.object<Callable>() && a.object<Callable>() == b.object<Callable>()) || (a.object<Loop>() && a.object<Loop>() == b.object<Loop>());
}

int order(const Value& a, const Value& b, int level) {
    if (level > max_value_depth) fail("a value is nested more than {} levels deep", max_value_depth);
    if (a.is_undefined()) fail("{}", a.as<Undefined>()->message());
    if (b.is_undefined()) fail("{}", b.as<Undefined>()->message());
    if (a.is_number() && b.is_number()) return order_numbers(a, b);
    if (a.is_text() && b.is_text()) {
        const int sign = a.text_bytes().compare(b.text_bytes());  // UTF-8 sorts as its code points do
        return sign < 0 ? -1 : sign > 0;
    }
    if ((a.is_list() && b.is_list()) || (a.is_tuple() && b.is_tuple())) {
        const std::size_t x = sequence_size(a), y = sequence_size(b);
        for (std::size_t i = 0; i < std::min(x, y); ++i) {
            const Value p = sequence_at(a, i), q = sequence_at(b, i);
            if (!equal(p, q, level + 1)) return order(p, q, level + 1);
        }
        return x < y ? -1 : x > y;
    }
    fail("values of type '{}' and '{}' have no order", a.type_name(), b.type_name());
}

bool compare(Comparison comparison, const Value& a, const Value& b) {
    switch (comparison) {
        case Comparison::equal: return equal(a, b);
        case Comparison::not_equal: return !equal(a, b);
        case Comparison::in: return contains(b, a);
        case Comparison::not_in: return !contains(b, a);
        case Comparison::less: return order(a, b) == -1;
        case Comparison::greater: return order(a, b) == 1;
        case Comparison::less_equal: return order(a, b) <= 0;
        case Comparison::greater_equal: return order(a, b) == 0 || order(a, b) == 1;
    }
    return false;
}

bool contains(const Value& container, const Value& item) {
    if (container.is_undefined()) return false;
    if (container.is_text()) {
        if (item.is_undefined()) fail("{}", item.as<Undefined>()->message());
        if (!item.is_text()) fail("'in <str>' requires a str as left operand, not '{}'", item.type_name());
        return container.text_bytes().find(item.text_bytes()) != std::string::npos;
    }
    if (container.is_mapping()) {
        if (!item.is_undefined() && !is_hashable(item)) fail("unhashable type: '{}'", item.type_name());
        return mapping_find(container, item).has_value();
    }
    if (const auto* json = container.as<const Json*>()) {
        for (const Json& each : **json)
            if (equal(Value::json(each), item)) return true;
        return false;
    }
    const Sequence* sequence = container.object<Sequence>();
    if (!sequence) fail("argument of type '{}' is not iterable", container.type_name());
    for (const Value& each : sequence->items)
        if (equal(each, item)) return true;
    return false;
}

Value item_at(const Value& sequence, std::int64_t index) {
    const std::int64_t size = length_of(sequence);
    if (index < 0) index += size;
    if (index < 0 || index >= size) return Value();
    const auto at = static_cast<std::size_t>(index);
    if (!sequence.is_text()) return sequence_at(sequence, at);
    const std::string_view text = sequence.text_bytes();
    const std::size_t begin = character_offset(text, at);
    return Value::text(std::string(text.substr(begin, character_size(text, begin))), sequence.is_markup());
}

// One end of a slice as Python's slice.indices reads it.
static std::int64_t slice_end(const Value& value, std::int64_t absent, std::int64_t lowest, std::int64_t highest, std::int64_t size) {
    if (value.is_none()) return absent;
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_integer()) fail("slice indices must be integers or None, not {}", value.type_name());
    std::int64_t at = value.integer();
    if (at < 0) at = at < -size ? lowest : at + size;
    return std::clamp(at, lowest, highest);
}

Value slice(Budget& budget, const Value& value, const Value& start, const Value& stop, const Value& step) {
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (value.is_mapping() || !value.has_length_and_items()) fail("'{}' object can not be sliced", value.type_name());
    const std::int64_t size = length_of(value);
    std::int64_t stride = 1;
    if (!step.is_none()) {
        if (!step.is_integer()) fail("slice indices must be integers or None, not {}", step.type_name());
        stride = step.integer();
    }
    if (stride == 0) fail("slice step cannot be zero");
    const bool back = stride < 0;
    const std::int64_t lowest = back ? -1 : 0, highest = back ? size - 1 : size;
    const std::int64_t from = slice_end(start, back ? highest : lowest, lowest, highest, size);
    const std::int64_t to = slice_end(stop, back ? lowest : highest, lowest, highest, size);
    budget.charge(static_cast<std::size_t>(size) / 16 + 1);
    if (value.is_text()) {
        const std::string_view text = value.text_bytes();
        if (stride == 1) {
            if (from >= to) return Value::text("", value.is_markup());
            const std::size_t begin = character_offset(text, static_cast<std::size_t>(from));
            const std::string_view rest = text.substr(begin);
            return Value::text(std::string(rest.substr(0, character_offset(rest, static_cast<std::size_t>(to - from)))), value.is_markup());
        }
        const std::vector<Value> characters = iterate(budget, value);
        std::string out;
        for (std::int64_t i = from; back ? i > to : i < to; i += std::clamp(stride, -size - 1, size + 1))
            out += characters[static_cast<std::size_t>(i)].text_bytes();
        return Value::text(std::move(out), value.is_markup());
    }
    std::vector<Value> items;
    for (std::int64_t i = from; back ? i > to : i < to; i += std::clamp(stride, -size - 1, size + 1))
        items.push_back(sequence_at(value, static_cast<std::size_t>(i)));
    budget.charge(items.size());
    return value.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

}  // namespace temper::jinja
