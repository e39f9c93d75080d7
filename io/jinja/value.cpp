#include "io/jinja/value.h"

#include <algorithm>

#include "io/jinja/loop.h"
#include "io/jinja/operators.h"
#include "io/jinja/text.h"

namespace temper::jinja {

std::string Undefined::message() const {
    if (hint) return *name;
    if (!name) return "the value is undefined";
    if (!owner) return fmt::format("'{}' is undefined", *name);
    return fmt::format("'{}' has no attribute '{}'", owner, *name);
}

Value Value::undefined_because(std::string message) {
    return Value(Data(Undefined{std::make_shared<const std::string>(std::move(message)), nullptr, true}));
}

static int checked_depth(int children) {
    if (children + 1 > max_value_depth) fail("a value is nested more than {} levels deep", max_value_depth);
    return children + 1;
}

Value Value::list(std::vector<Value> items, SequenceKind kind) {
    int deepest = 0;
    for (const Value& item : items) deepest = std::max(deepest, item.depth());
    auto sequence = std::make_shared<Sequence>();
    sequence->kind = kind;
    sequence->depth = checked_depth(deepest);
    sequence->items = std::move(items);
    return Value(Data(std::move(sequence)));
}

Value Value::dict(std::vector<std::pair<Value, Value>> entries) {
    int deepest = 0;
    for (const auto& [key, value] : entries) deepest = std::max({deepest, key.depth(), value.depth()});
    auto dict = std::make_shared<Dict>();
    dict->depth = checked_depth(deepest);
    dict->entries = std::move(entries);
    return Value(Data(std::move(dict)));
}

Value Value::json(const Json& json) {
    switch (json.type()) {
        case Json::value_t::null: return none();
        case Json::value_t::boolean: return of(json.get<bool>());
        case Json::value_t::number_integer: return of(json.get<std::int64_t>());
        case Json::value_t::number_unsigned: {
            const auto n = json.get<std::uint64_t>();
            if (n > std::uint64_t(INT64_MAX)) fail("the integer {} does not fit in 64 bits", n);
            return of(static_cast<std::int64_t>(n));
        }
        case Json::value_t::number_float: return of(json.get<double>());
        case Json::value_t::string:  // an owner-less pointer: the row keeps the text alive
            return Value(Data(Text{Shared(std::shared_ptr<void>(), json.get_ptr<const std::string*>()), false}));
        default: return Value(Data(&json));
    }
}

bool Value::is_mapping() const {
    if (const auto* json = as<const Json*>()) return (*json)->is_object();
    return object<Dict>() != nullptr;
}

bool Value::is_list() const {
    if (const auto* json = as<const Json*>()) return (*json)->is_array();
    const Sequence* sequence = object<Sequence>();
    return sequence && sequence->kind == SequenceKind::list;
}

bool Value::is_tuple() const {
    const Sequence* sequence = object<Sequence>();
    return sequence && sequence->kind == SequenceKind::tuple;
}

bool Value::has_length_and_items() const {
    if (is_text() || is_mapping() || is_list() || is_tuple()) return true;
    const Sequence* sequence = object<Sequence>();
    return sequence && sequence->kind == SequenceKind::range;
}

std::int64_t Value::integer() const {
    if (const bool* b = as<bool>()) return *b ? 1 : 0;
    return *as<std::int64_t>();
}

double Value::number() const {
    if (const double* d = as<double>()) return *d;
    return static_cast<double>(integer());
}

const char* Value::type_name() const {
    if (is_mapping()) return "dict";
    if (is_list()) return "list";
    if (const Sequence* sequence = object<Sequence>()) {
        switch (sequence->kind) {
            case SequenceKind::tuple: return "tuple";
            case SequenceKind::range: return "range";
            case SequenceKind::keys: return "dict_keys";
            case SequenceKind::values: return "dict_values";
            case SequenceKind::items: return "dict_items";
            default: return "generator";
        }
    }
    static constexpr const char* names[] = {"Undefined", "NoneType", "bool", "int",       "float",       "str",
                                            "list",      "list",     "dict", "Namespace", "LoopContext", "function"};
    return names[data_.index()];
}

int Value::depth() const {
    if (const Sequence* sequence = object<Sequence>()) return sequence->depth;
    if (const Dict* dict = object<Dict>()) return dict->depth;
    if (const Loop* loop = object<Loop>()) return loop->depth;
    return 0;
}

void Value::require_defined() const {
    if (const auto* undefined = as<Undefined>(); undefined && undefined->strict) fail("{}", undefined->message());
}

Value Value::strictly(bool strict) const {
    const auto* undefined = as<Undefined>();
    if (!strict || !undefined) return *this;
    Undefined copy = *undefined;
    copy.strict = true;
    return Value(Data(std::move(copy)));
}

std::size_t mapping_size(const Value& mapping) {
    if (const Dict* dict = mapping.object<Dict>()) return dict->entries.size();
    return (*mapping.as<const Json*>())->size();
}

std::optional<Value> mapping_find(const Value& mapping, std::string_view key) {
    if (const auto* json = mapping.as<const Json*>()) {
        for (const auto& [name, value] : (*json)->get_ref<const Json::object_t&>())
            if (name == key) return Value::json(value);
        return std::nullopt;
    }
    for (const auto& [name, value] : mapping.object<Dict>()->entries)
        if (name.is_text() && name.text_bytes() == key) return value;
    return std::nullopt;
}

std::optional<Value> mapping_find(const Value& mapping, const Value& key) {
    if (key.is_text()) return mapping_find(mapping, std::string_view(key.text_bytes()));
    if (const Dict* dict = mapping.object<Dict>())
        for (const auto& [name, value] : dict->entries)
            if (equal(name, key)) return value;
    return std::nullopt;
}

void each_entry(const Value& mapping, const std::function<void(const Value&, const Value&)>& visit) {
    if (const Dict* dict = mapping.object<Dict>()) {
        for (const auto& [key, value] : dict->entries) visit(key, value);
        return;
    }
    for (const auto& [name, value] : (*mapping.as<const Json*>())->get_ref<const Json::object_t&>())
        visit(Value(Value::Data(Text{Shared(std::shared_ptr<void>(), &name), false})), Value::json(value));
}

bool is_hashable(const Value& key) {
    if (key.is_mapping() || key.is_list() || key.is_undefined()) return false;
    if (key.is_tuple()) return std::ranges::all_of(key.object<Sequence>()->items, is_hashable);
    return true;
}

bool is_iterable(const Value& value) {
    return value.is_undefined() || value.is_text() || value.as<const Json*>() || value.object<Sequence>() || value.object<Dict>() ||
           value.object<Loop>();
}

std::vector<Value> iterate(Budget& budget, const Value& value) {
    value.require_defined();
    std::vector<Value> items;
    if (value.is_undefined()) return items;
    if (value.is_text()) {
        const std::string_view all = value.text_bytes();
        budget.charge(all.size());
        for (std::size_t at = 0; at < all.size();) {
            const std::size_t size = character_size(all, at);
            items.push_back(Value::text(std::string(all.substr(at, size))));
            at += size;
        }
    } else if (value.is_mapping()) {
        items.reserve(mapping_size(value));
        each_entry(value, [&](const Value& key, const Value&) { items.push_back(key); });
    } else if (const auto* json = value.as<const Json*>()) {
        items.reserve((*json)->size());
        for (const Json& item : **json) items.push_back(Value::json(item));
    } else if (const auto* sequence = value.as<Ptr<Sequence>>()) {
        Sequence& all = **sequence;
        if (!all.failure.empty()) fail("{}", all.failure);
        if (all.spent) return items;
        if (all.kind == SequenceKind::generator) {
            all.spent = true;
            items.swap(all.items);
        } else {
            items = all.items;
        }
    } else {
        fail("'{}' object is not iterable", value.type_name());
    }
    budget.charge(items.size());
    return items;
}

std::int64_t length_of(const Value& value) {
    value.require_defined();
    if (value.is_undefined()) return 0;
    if (value.is_text()) return static_cast<std::int64_t>(character_count(value.text_bytes()));
    if (value.is_mapping()) return static_cast<std::int64_t>(mapping_size(value));
    if (const auto* json = value.as<const Json*>()) return static_cast<std::int64_t>((*json)->size());
    if (const Loop* loop = value.object<Loop>()) return static_cast<std::int64_t>(loop->items.size());
    const Sequence* sequence = value.object<Sequence>();
    if (!sequence || sequence->kind == SequenceKind::generator) fail("object of type '{}' has no len()", value.type_name());
    return static_cast<std::int64_t>(sequence->items.size());
}

}  // namespace temper::jinja
