// Expressions.
#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/print.h"

namespace temper::jinja {

Value Interpreter::evaluate(const Expression& expression) {
    budget_.charge();
    if (++depth_ > max_depth) fail("blocks, expressions and macro calls are nested more than {} levels deep", max_depth);
    try {
        Value value = std::visit([&](const auto& node) { return value_of(node); }, expression.node);
        --depth_;
        return value;
    } catch (const Failure&) {
        if (!failed_at_) failed_at_ = expression.place;  // the innermost node names the place
        throw;
    }
}

Value Interpreter::value_of(const Constant& node) { return node.value; }
Value Interpreter::value_of(const Name& node) { return lookup(node.name); }

std::vector<Value> Interpreter::all(const std::vector<ExpressionPtr>& expressions) {
    std::vector<Value> values;
    values.reserve(expressions.size());
    for (const ExpressionPtr& expression : expressions) values.push_back(evaluate(*expression));
    return values;
}

Value Interpreter::value_of(const TupleLiteral& node) { return Value::tuple(all(node.items)); }
Value Interpreter::value_of(const ListLiteral& node) { return Value::list(all(node.items)); }

Value Interpreter::value_of(const DictLiteral& node) {
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key_node, value_node] : node.entries) {
        Value key = evaluate(*key_node);
        Value value = evaluate(*value_node);
        if (!key.is_undefined() && !is_hashable(key)) fail("unhashable type: '{}'", key.type_name());
        budget_.charge(entries.size() / 8);
        bool known = false;
        for (auto& entry : entries)
            if (equal(entry.first, key)) {
                entry.second = value;
                known = true;
            }
        if (!known) entries.emplace_back(std::move(key), std::move(value));
    }
    return Value::dict(std::move(entries));
}

static const char* owner_of(const Value& object) {
    if (object.is_none()) return "None";
    if (object.is_mapping()) return "dict object";
    if (object.is_list()) return "list object";
    if (object.is_tuple()) return "tuple object";
    static constexpr const char* owners[] = {"Undefined",          "None",           "bool object",      "int object",  "float object",
                                             "str object",         "list object",    "generator object", "dict object", "Namespace object",
                                             "LoopContext object", "function object"};
    return owners[object.data().index()];
}

static Value bound_method(const Value& self, const Shared& name, const MethodLookup& found) {
    if (found.kind == MethodKind::forbidden)
        return Value::undefined_because(fmt::format("access to attribute '{}' of '{}' object is unsafe", *name, self.type_name()));
    auto callable = std::make_shared<Callable>();
    callable->label = fmt::format("<built-in method {} of {} object>", *name, self.type_name());
    callable->call = [self, name, method = found.method](Interpreter& interpreter, Arguments& arguments) {
        if (!method) fail("the method {}.{} is not supported", self.type_name(), *name);
        return method(interpreter, self, arguments);
    };
    return Value(Value::Data(std::move(callable)));
}

// Attributes that are not keys: methods, fields of a namespace or of loop.
static std::optional<Value> proper_attribute(const Value& object, const Shared& name) {
    if (const auto* names = object.object<Namespace>()) {
        for (const auto& [key, value] : names->attributes)
            if (*key == *name) return value;
        return std::nullopt;
    }
    if (const auto* loop = object.as<Ptr<Loop>>()) {
        Value value = loop_attribute(*loop, name);
        if (value.is_undefined() && !value.as<Undefined>()->hint) return std::nullopt;
        return value;
    }
    const MethodLookup found = find_method(object, *name);
    if (found.kind == MethodKind::absent) return std::nullopt;
    return bound_method(object, name, found);
}

Value Interpreter::attribute(const Value& object, const Shared& name) {
    if (object.is_undefined()) fail("{}", object.as<Undefined>()->message());
    if (std::optional<Value> found = proper_attribute(object, name)) return *std::move(found);
    if (object.is_mapping())
        if (std::optional<Value> found = mapping_find(object, std::string_view(*name))) return *std::move(found);
    return Value::undefined(name, owner_of(object));
}

Value Interpreter::item(const Value& object, const Value& key) {
    if (object.is_undefined()) fail("{}", object.as<Undefined>()->message());
    if (object.is_mapping()) {
        if (std::optional<Value> found = mapping_find(object, key)) return *std::move(found);
    } else if (key.is_integer() && object.has_length_and_items()) {
        Value found = item_at(object, key.integer());
        if (!found.is_undefined() || found.as<Undefined>()->name) return found;
    }
    if (key.is_text()) {
        const Shared& name = key.as<Text>()->bytes;
        if (std::optional<Value> found = proper_attribute(object, name)) return *std::move(found);
        return Value::undefined(name, owner_of(object));
    }
    return Value::undefined(std::make_shared<const std::string>(repr_of(key)), owner_of(object));
}

Value Interpreter::value_of(const Attribute& node) { return attribute(evaluate(*node.object), node.name).strictly(template_.strict); }

Value Interpreter::value_of(const Item& node) {
    const Value object = evaluate(*node.object);
    return item(object, evaluate(*node.key)).strictly(template_.strict);
}

Value Interpreter::value_of(const Slice& node) {
    const Value object = evaluate(*node.object);
    const auto part = [&](const ExpressionPtr& expression) { return expression ? evaluate(*expression) : Value::none(); };
    const Value start = part(node.start), stop = part(node.stop), step = part(node.step);
    return slice(budget_, object, start, stop, step);
}

Arguments Interpreter::arguments_of(const CallArguments& given) {
    Arguments arguments;
    arguments.positional = all(given.positional);
    if (given.star)
        for (Value& value : iterate(budget_, evaluate(*given.star))) arguments.positional.push_back(std::move(value));
    for (const auto& [name, value] : given.named) arguments.named.emplace_back(name, evaluate(*value));
    if (!given.star_star) return arguments;
    const Value more = evaluate(*given.star_star);
    if (!more.is_mapping()) fail("the value after ** must be a mapping, not '{}'", more.type_name());
    each_entry(more, [&](const Value& key, const Value& value) {
        if (!key.is_text()) fail("keywords must be texts");
        for (const auto& [name, known] : arguments.named)
            if (*name == key.text_bytes()) fail("got two values for the argument '{}'", *name);
        arguments.named.emplace_back(std::make_shared<const std::string>(key.text_bytes()), value);
    });
    return arguments;
}

Value Interpreter::value_of(const Call& node) { return call_node(node, nullptr); }

Value Interpreter::call_node(const Call& node, const Value* caller) {
    const auto given = [&] {
        Arguments arguments = arguments_of(node.arguments);
        if (caller) arguments.named.emplace_back(std::make_shared<const std::string>("caller"), *caller);
        return arguments;
    };
    if (const auto* member = std::get_if<Attribute>(&node.callee->node)) {  // a method needs no value of its own
        const Value self = evaluate(*member->object);
        const MethodLookup found = self.is_undefined() ? MethodLookup{} : find_method(self, *member->name);
        if (found.kind == MethodKind::usable) {
            Arguments arguments = given();
            return found.method(*this, self, arguments);
        }
        const Value callee = attribute(self, member->name);
        Arguments arguments = given();
        return call(callee, arguments);
    }
    const Value callee = evaluate(*node.callee);
    Arguments arguments = given();
    return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
    if (callee.is_undefined()) fail("{}", callee.as<Undefined>()->message());
    if (const Callable* callable = callee.object<Callable>()) return callable->call(*this, arguments);
    if (const Loop* loop = callee.object<Loop>()) return recurse(*loop, arguments);
    fail("'{}' object is not callable", callee.type_name());
}

Value Interpreter::value_of(const Filter& node) {
    const Value input = node.input ? evaluate(*node.input) : *block_input_;
    Arguments arguments = arguments_of(node.arguments);
    return filtered(*node.name, input, arguments);
}

Value Interpreter::filter_block(const Expression& filter, const Value& input) {
    const Value* outside = std::exchange(block_input_, &input);
    Value value = evaluate(filter);
    block_input_ = outside;
    return value;
}

Value Interpreter::filtered(std::string_view name, const Value& input, Arguments& arguments) {
    FilterFunction filter = find_text_filter(name);
    if (!filter) filter = find_sequence_filter(name);
    if (!filter) filter = find_number_filter(name);
    const bool of_tasks = name == "regex_replace";  // lm-evaluation-harness adds it, transformers does not
    if (!filter || (of_tasks && !template_.strict)) fail("no filter named '{}'", name);
    return filter(*this, input, arguments);
}

bool Interpreter::tested(std::string_view name, const Value& input, Arguments& arguments) {
    const TestFunction test = find_test(name);
    if (!test) fail("no test named '{}'", name);
    return test(*this, input, arguments);
}

Value Interpreter::value_of(const Test& node) {
    const Value input = evaluate(*node.input);
    Arguments arguments = arguments_of(node.arguments);
    return Value::of(tested(*node.name, input, arguments));
}

Value Interpreter::value_of(const Not& node) { return Value::of(!truthy(evaluate(*node.operand))); }

Value Interpreter::value_of(const Sign& node) {
    const Value value = evaluate(*node.operand);
    if (node.negative) return negated(value);
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_number()) fail("bad operand type for unary +: '{}'", value.type_name());
    return value.as<bool>() ? Value::of(value.integer()) : value;
}

Value Interpreter::value_of(const Logical& node) {
    Value left = evaluate(*node.left);
    return truthy(left) == node.is_and ? evaluate(*node.right) : left;
}

Value Interpreter::value_of(const Binary& node) {
    const Value left = evaluate(*node.left);
    const Value right = evaluate(*node.right);
    return calculate(budget_, node.op, left, right);
}

Value Interpreter::value_of(const Concatenation& node) {
    std::string text;
    for (const ExpressionPtr& part : node.parts) {
        append_text(text, evaluate(*part));
        budget_.charge_bytes(text.size());
    }
    return Value::text(std::move(text));
}

Value Interpreter::value_of(const Chain& node) {
    Value left = evaluate(*node.first);
    for (const auto& [comparison, expression] : node.rest) {
        Value right = evaluate(*expression);
        if (!compare(comparison, left, right)) return Value::of(false);
        left = std::move(right);
    }
    return Value::of(true);
}

Value Interpreter::value_of(const Conditional& node) {
    if (truthy(evaluate(*node.test))) return evaluate(*node.yes);
    if (node.no) return evaluate(*node.no);
    return Value::undefined_because("the inline if-expression evaluated to false and no else section was defined").strictly(template_.strict);
}

}  // namespace temper::jinja
