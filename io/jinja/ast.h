// A parsed template. Every node keeps its place for error messages; texts are shared so that values can point at them.
#pragma once
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "io/jinja/lexer.h"
#include "io/jinja/operators.h"
#include "io/jinja/value.h"

namespace temper::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
    std::vector<ExpressionPtr> positional;
    std::vector<std::pair<Shared, ExpressionPtr>> named;
    ExpressionPtr star, star_star;  // *list and **mapping
};

struct Constant {
    Value value;
};
struct Name {
    Shared name;
};
struct TupleLiteral {
    std::vector<ExpressionPtr> items;
};
struct ListLiteral {
    std::vector<ExpressionPtr> items;
};
struct DictLiteral {
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Attribute {
    ExpressionPtr object;
    Shared name;
};
struct Item {
    ExpressionPtr object, key;
};
struct Slice {
    ExpressionPtr object, start, stop, step;
};  // an absent part is null
struct Call {
    ExpressionPtr callee;
    CallArguments arguments;
};
struct Filter {
    ExpressionPtr input;
    Shared name;
    CallArguments arguments;
};  // input is null for the first filter of a block
struct Test {
    ExpressionPtr input;
    Shared name;
    CallArguments arguments;
};
struct Not {
    ExpressionPtr operand;
};
struct Sign {
    ExpressionPtr operand;
    bool negative;
};
struct Logical {
    ExpressionPtr left, right;
    bool is_and;
};
struct Binary {
    Operator op;
    ExpressionPtr left, right;
};
struct Concatenation {
    std::vector<ExpressionPtr> parts;
};
struct Chain {
    ExpressionPtr first;
    std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};  // a < b < c
struct Conditional {
    ExpressionPtr test, yes, no;
};  // no may be null

struct Expression {
    Place place;
    int depth = 1;  // of the tree below, capped by the parser
    std::variant<Constant, Name, TupleLiteral, ListLiteral, DictLiteral, Attribute, Item, Slice, Call, Filter, Test, Not, Sign, Logical, Binary,
                 Concatenation, Chain, Conditional>
        node;
};

// What an assignment fills: a name, an attribute of a namespace, or several of them.
struct Target {
    Place place;
    Shared name;                // null for a tuple
    Shared attribute;           // of the namespace `name`, or null
    std::vector<Target> parts;  // of a tuple
};

struct Statement;
using Body = std::vector<Statement>;
// Names that this scope sets before it ever reads them and that no scope around it knows: inside it they never fall through to a
// variable of the caller, even before they are set.
// Filled once the whole template is read.
using Hidden = std::shared_ptr<std::vector<Shared>>;

struct Parameter {
    Shared name;
    ExpressionPtr otherwise;  // default, or null
};
struct MacroBody {
    Shared name;
    std::vector<Parameter> parameters;
    Body body;
    Hidden hidden;
    // The special names that the body reads, null where it does not.
    Shared caller, varargs, kwargs;
};

struct Data {
    Shared text;
};
struct Print {
    std::vector<ExpressionPtr> values;
};
struct If {
    std::vector<std::pair<ExpressionPtr, Body>> branches;
    Body otherwise;
};
struct For {
    Target target;
    ExpressionPtr iterable, condition;  // condition may be null
    bool recursive = false;
    Shared loop_name;  // "loop", interned
    Body body, otherwise;
    Hidden hidden, hidden_otherwise;
};
struct Set {
    Target target;
    ExpressionPtr value;
};
struct SetBlock {
    Target target;
    ExpressionPtr filter;
    Body body;
    Hidden hidden;
};  // filter may be null
struct Macro {
    std::shared_ptr<const MacroBody> body;
};
struct CallBlock {
    ExpressionPtr call;
    std::shared_ptr<const MacroBody> body;
};
struct FilterBlock {
    ExpressionPtr filter;
    Body body;
    Hidden hidden;
};
struct With {
    std::vector<std::pair<Target, ExpressionPtr>> values;
    Body body;
    Hidden hidden;
};
struct Generation {
    Body body;
    Hidden hidden;
};
struct Break {};
struct Continue {};

struct Statement {
    Place place;
    std::variant<Data, Print, If, For, Set, SetBlock, Macro, CallBlock, FilterBlock, With, Generation, Break, Continue> node;
};

struct Template {
    Body body;
    Hidden hidden;
    bool has_generation = false;
    bool strict = false;  // Dialect::strict
};

// SyntaxFailure when the source is not a template, or uses include, import, extends, block or autoescape.
Template parse_template(std::string_view source, const Dialect& dialect = {});

}  // namespace temper::jinja
