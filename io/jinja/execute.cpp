// Statements, scopes and macros.
#include <algorithm>

#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"

namespace temper::jinja {

std::string Interpreter::run() {
    scope_ = open_scope(nullptr, template_.hidden);
    execute(template_.body);
    return std::move(output_);
}

Interpreter::~Interpreter() {
    for (const ScopePtr& scope : captured_) scope->names.clear();
    for (const Ptr<Namespace>& names : namespaces_) names->attributes.clear();
}

Interpreter::Flow Interpreter::execute(const Body& body) {
    if (++depth_ > max_depth) fail("blocks, expressions and macro calls are nested more than {} levels deep", max_depth);
    Flow flow = Flow::normal;
    for (const Statement& statement : body) {
        budget_.charge();
        try {
            flow = std::visit([&](const auto& node) { return run_one(node); }, statement.node);
        } catch (const Failure&) {
            if (!failed_at_) failed_at_ = statement.place;
            throw;
        }
        if (flow != Flow::normal) break;
    }
    --depth_;
    return flow;
}

void Interpreter::write(std::string_view text) {
    budget_.charge(text.size() / 16);
    if (out_->size() + text.size() > Budget::max_text) fail("the rendered text exceeds the limit of {} bytes", Budget::max_text);
    out_->append(text);
}

// Scopes

Interpreter::ScopePtr Interpreter::open_scope(const ScopePtr& outer, const Hidden& hidden) {
    auto scope = std::make_shared<Scope>();
    scope->outer = outer;
    for (const Shared& name : *hidden) scope->names.emplace_back(name.get(), Value::undefined(name));
    return scope;
}

void Interpreter::set_name(const Shared& name, Value value) {
    for (auto& [known, held] : scope_->names)
        if (known == name.get()) {
            held = std::move(value);
            return;
        }
    scope_->names.emplace_back(name.get(), std::move(value));
}

Value Interpreter::lookup(const Shared& name) const {
    for (const Scope* scope = scope_.get(); scope; scope = scope->outer.get())
        for (const auto& [known, value] : scope->names)
            if (known == name.get()) return value;
    for (const auto& [known, value] : variables_)
        if (known == *name) return value;
    if (std::optional<Value> function = global_function(*name)) return *std::move(function);
    return Value::undefined(name).strictly(template_.strict);
}

void Interpreter::assign(const Target& target, const Value& value) {
    if (target.attribute) {
        const Value owner = lookup(target.name);
        const auto* names = owner.as<Ptr<Namespace>>();
        if (!names) fail("cannot assign the attribute '{}' of '{}', which is not a namespace", *target.attribute, *target.name);
        if (target.attribute->starts_with('_')) fail("a namespace attribute must not begin with an underscore: '{}'", *target.attribute);
        auto& attributes = (*names)->attributes;
        const auto found = std::ranges::find_if(attributes, [&](const auto& entry) { return *entry.first == *target.attribute; });
        if (found != attributes.end()) found->second = value;
        else attributes.emplace_back(target.attribute, value);
        return;
    }
    if (target.name) return set_name(target.name, value);
    if (value.is_undefined() || !is_iterable(value)) fail("cannot unpack a value of type '{}'", value.type_name());
    const std::vector<Value> items = iterate(budget_, value);
    if (items.size() != target.parts.size()) fail("expected {} values to unpack, found {}", target.parts.size(), items.size());
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
}

Value Interpreter::make_namespace(std::vector<std::pair<Shared, Value>> attributes) {
    budget_.charge(32);  // it is kept until the end
    auto names = std::make_shared<Namespace>();
    names->attributes = std::move(attributes);
    namespaces_.push_back(names);
    return Value(Value::Data(std::move(names)));
}

// Statements

Interpreter::Flow Interpreter::run_one(const Data& node) {
    write(*node.text);
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const Print& node) {
    for (const ExpressionPtr& expression : node.values) {
        const Value value = evaluate(*expression);
        if (value.is_text()) write(value.text_bytes());
        else write(text_of(value));
    }
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const If& node) {
    for (const auto& [condition, body] : node.branches) {
        if (truthy(evaluate(*condition))) return execute(body);
    }
    return execute(node.otherwise);
}

std::vector<Value> Interpreter::loop_items(const For& loop, const Value& iterable, const ScopePtr& outer) {
    std::vector<Value> items = iterate(budget_, iterable);
    if (!loop.condition) return items;
    const ScopePtr before = std::exchange(scope_, open_scope(outer, std::make_shared<std::vector<Shared>>()));
    std::vector<Value> kept;
    for (Value& item : items) {
        scope_->names.clear();
        assign(loop.target, item);
        if (truthy(evaluate(*loop.condition))) kept.push_back(std::move(item));
    }
    scope_ = before;
    return kept;
}

Interpreter::Flow Interpreter::loop_over(const For& node, const Value& iterable, const ScopePtr& outer, int depth0) {
    const auto loop = std::make_shared<Loop>();
    loop->items = loop_items(node, iterable, outer);
    for (const Value& item : loop->items) loop->depth = std::max(loop->depth, item.depth() + 1);
    if (loop->depth > max_value_depth) fail("a value is nested more than {} levels deep", max_value_depth);
    loop->depth0 = depth0;
    if (node.recursive) {
        loop->node = &node;
        loop->outer = outer;
    }
    const ScopePtr before = std::exchange(scope_, open_scope(outer, node.hidden));
    bool completed = false;  // Jinja2 takes the else branch unless one round reached its end
    for (loop->index0 = 0; loop->index0 < loop->items.size(); ++loop->index0) {
        budget_.charge();
        scope_->names.clear();
        for (const Shared& name : *node.hidden) scope_->names.emplace_back(name.get(), Value::undefined(name));
        assign(node.target, loop->items[loop->index0]);
        scope_->names.emplace_back(node.loop_name.get(), Value(Value::Data(loop)));
        const Flow flow = execute(node.body);
        if (flow == Flow::stop) break;
        if (flow == Flow::normal) completed = true;
    }
    scope_->names.clear();
    if (!completed && !node.otherwise.empty()) {
        scope_ = open_scope(outer, node.hidden_otherwise);
        const Flow flow = execute(node.otherwise);
        scope_ = before;
        return flow;
    }
    scope_ = before;
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const For& node) {
    const Value iterable = evaluate(*node.iterable);
    if (!node.recursive) return loop_over(node, iterable, scope_, 0);
    std::string text;
    std::string* outside = std::exchange(out_, &text);
    loop_over(node, iterable, scope_, 0);
    out_ = outside;
    write(text);
    return Flow::normal;
}

Value Interpreter::recurse(const Loop& loop, Arguments& arguments) {
    if (!loop.node) fail("the loop must have the 'recursive' marker to be called");
    const Bound bound("loop", arguments, {"iterable"}, 1);
    std::string text;
    std::string* outside = std::exchange(out_, &text);
    loop_over(*loop.node, *bound[0], loop.outer, loop.depth0 + 1);
    out_ = outside;
    return Value::text(std::move(text));
}

Interpreter::Flow Interpreter::run_one(const Set& node) {
    assign(node.target, evaluate(*node.value));
    return Flow::normal;
}

Interpreter::Flow Interpreter::capture(const Body& body, const Hidden& hidden, std::string& into) {
    std::string* outside = std::exchange(out_, &into);
    const ScopePtr before = scope_;
    scope_ = open_scope(before, hidden);
    const Flow flow = execute(body);
    scope_ = before;
    out_ = outside;
    return flow;
}

Interpreter::Flow Interpreter::run_one(const SetBlock& node) {
    std::string text;
    if (const Flow flow = capture(node.body, node.hidden, text); flow != Flow::normal) return flow;
    Value value = Value::text(std::move(text));
    assign(node.target, node.filter ? filter_block(*node.filter, value) : value);
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const FilterBlock& node) {
    std::string text;
    if (const Flow flow = capture(node.body, node.hidden, text); flow != Flow::normal) return flow;
    write(text_of(filter_block(*node.filter, Value::text(std::move(text)))));
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const With& node) {
    const ScopePtr before = scope_, inner = open_scope(before, node.hidden);
    for (const auto& [target, expression] : node.values) {
        const Value value = evaluate(*expression);  // in the scope outside
        scope_ = inner;
        assign(target, value);
        scope_ = before;
    }
    scope_ = inner;
    const Flow flow = execute(node.body);
    scope_ = before;
    return flow;
}

// The range begins where the output of the whole template ends so far: a block inside a macro or a set block is placed by what was
// written before the macro's text, exactly as transformers does it.
Interpreter::Flow Interpreter::run_one(const Generation& node) {
    std::string text;
    capture(node.body, node.hidden, text);
    generated_.emplace_back(output_.size(), output_.size() + text.size());
    write(text);
    return Flow::normal;
}

// Macros

Value Interpreter::macro(const MacroBody& body) {
    budget_.charge(32);
    captured_.push_back(scope_);
    auto callable = std::make_shared<Callable>();
    callable->label = fmt::format("<Macro '{}'>", *body.name);
    callable->call = [&body, closure = scope_](Interpreter& interpreter, Arguments& arguments) {
        return interpreter.call_macro(body, closure, arguments);
    };
    return Value(Value::Data(std::move(callable)));
}

Interpreter::Flow Interpreter::run_one(const Macro& node) {
    set_name(node.body->name, macro(*node.body));
    return Flow::normal;
}

Interpreter::Flow Interpreter::run_one(const CallBlock& node) {
    const Value caller = macro(*node.body);
    write(text_of(call_node(std::get<Call>(node.call->node), &caller)));
    return Flow::normal;
}

void Interpreter::bind_parameters(const MacroBody& body, Arguments& arguments) {
    bool has_caller = false;
    for (std::size_t i = 0; i < body.parameters.size(); ++i) {
        const Parameter& parameter = body.parameters[i];
        has_caller |= *parameter.name == "caller";
        std::optional<Value> given;
        if (i < arguments.positional.size()) given = arguments.positional[i];
        else given = arguments.pop(*parameter.name);
        if (!given && parameter.otherwise) given = evaluate(*parameter.otherwise);
        if (!given) given = Value::undefined_because(fmt::format("parameter '{}' was not provided", *parameter.name));
        set_name(parameter.name, *std::move(given));
    }
    if (body.caller && !has_caller) {
        std::optional<Value> caller = arguments.pop("caller");
        set_name(body.caller, caller ? *caller : Value::undefined_because("no caller defined"));
    }
    if (body.kwargs) {
        std::vector<std::pair<Value, Value>> entries;
        for (const auto& [name, value] : arguments.named) entries.emplace_back(Value::text(name), value);
        set_name(body.kwargs, Value::dict(std::move(entries)));
    } else if (!arguments.named.empty()) {
        fail("macro '{}' takes no argument named '{}'", *body.name, *arguments.named[0].first);
    }
    const std::size_t taken = std::min(arguments.positional.size(), body.parameters.size());
    if (body.varargs)
        set_name(body.varargs, Value::tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(taken), arguments.positional.end()}));
    else if (arguments.positional.size() > taken)
        fail("macro '{}' takes not more than {} argument(s), {} given", *body.name, taken, arguments.positional.size());
}

Value Interpreter::call_macro(const MacroBody& body, const ScopePtr& closure, Arguments& arguments) {
    const ScopePtr before = std::exchange(scope_, open_scope(closure, body.hidden));
    std::string text;
    std::string* outside = std::exchange(out_, &text);
    bind_parameters(body, arguments);
    execute(body.body);
    out_ = outside;
    scope_ = before;
    return Value::text(std::move(text));
}

}  // namespace temper::jinja
