#include <algorithm>
#include <array>

#include "io/jinja/parser.h"

namespace temper::jinja {

// The children of a node are moved into it while make() still has to see them, hence the raw pointers beside the moves below.

ExpressionPtr Parser::expression(bool with_conditional) { return with_conditional ? conditional() : either(); }

ExpressionPtr Parser::conditional() {
    const Level level(*this);
    ExpressionPtr value = either();
    while (is_name("if")) {
        const Place place = now().place;
        advance();
        ExpressionPtr condition = either();
        ExpressionPtr otherwise = skip_name("else") ? conditional() : nullptr;
        const Expression *c = condition.get(), *v = value.get(), *o = otherwise.get();
        value = make(place, Conditional{std::move(condition), std::move(value), std::move(otherwise)}, {c, v, o});
    }
    return value;
}

ExpressionPtr Parser::either() {
    ExpressionPtr left = both();
    while (is_name("or")) {
        const Place place = now().place;
        advance();
        ExpressionPtr right = both();
        const Expression *l = left.get(), *r = right.get();
        left = make(place, Logical{std::move(left), std::move(right), false}, {l, r});
    }
    return left;
}

ExpressionPtr Parser::both() {
    ExpressionPtr left = negation();
    while (is_name("and")) {
        const Place place = now().place;
        advance();
        ExpressionPtr right = negation();
        const Expression *l = left.get(), *r = right.get();
        left = make(place, Logical{std::move(left), std::move(right), true}, {l, r});
    }
    return left;
}

ExpressionPtr Parser::negation() {
    if (!is_name("not")) return comparison();
    const Level level(*this);
    const Place place = now().place;
    advance();
    ExpressionPtr operand = negation();
    const Expression* o = operand.get();
    return make(place, Not{std::move(operand)}, {o});
}

static std::optional<Comparison> comparison_sign(const std::string& sign) {
    static constexpr std::array<std::pair<std::string_view, Comparison>, 6> signs = {{{"==", Comparison::equal},
                                                                                      {"!=", Comparison::not_equal},
                                                                                      {"<", Comparison::less},
                                                                                      {"<=", Comparison::less_equal},
                                                                                      {">", Comparison::greater},
                                                                                      {">=", Comparison::greater_equal}}};
    for (const auto& [text, comparison] : signs)
        if (text == sign) return comparison;
    return std::nullopt;
}

ExpressionPtr Parser::comparison() {
    const Place place = now().place;
    ExpressionPtr first = sum();
    int depth = first->depth;
    std::vector<std::pair<Comparison, ExpressionPtr>> rest;
    while (true) {
        std::optional<Comparison> op;
        if (now().kind == TokenKind::sign) op = comparison_sign(now().text);
        else if (is_name("in")) op = Comparison::in;
        else if (is_name("not") && ahead().kind == TokenKind::name && ahead().text == "in") op = Comparison::not_in;
        if (!op) break;
        advance();
        if (*op == Comparison::not_in) advance();
        rest.emplace_back(*op, sum());
        depth = std::max(depth, rest.back().second->depth);
    }
    if (rest.empty()) return first;
    return make_many(place, Chain{std::move(first), std::move(rest)}, depth);
}

ExpressionPtr Parser::sum() {
    ExpressionPtr left = concatenation();
    while (is_sign("+") || is_sign("-")) {
        const Place place = now().place;
        const Operator op = is_sign("+") ? Operator::add : Operator::subtract;
        advance();
        ExpressionPtr right = concatenation();
        const Expression *l = left.get(), *r = right.get();
        left = make(place, Binary{op, std::move(left), std::move(right)}, {l, r});
    }
    return left;
}

ExpressionPtr Parser::concatenation() {
    const Place place = now().place;
    ExpressionPtr first = product();
    if (!is_sign("~")) return first;
    int depth = first->depth;
    std::vector<ExpressionPtr> parts;
    parts.push_back(std::move(first));
    while (skip_sign("~")) {
        parts.push_back(product());
        depth = std::max(depth, parts.back()->depth);
    }
    return make_many(place, Concatenation{std::move(parts)}, depth);
}

ExpressionPtr Parser::product() {
    ExpressionPtr left = power();
    while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%")) {
        const Place place = now().place;
        const Operator op = is_sign("*")    ? Operator::multiply
                            : is_sign("/")  ? Operator::divide
                            : is_sign("//") ? Operator::floor_divide
                                            : Operator::modulo;
        advance();
        ExpressionPtr right = power();
        const Expression *l = left.get(), *r = right.get();
        left = make(place, Binary{op, std::move(left), std::move(right)}, {l, r});
    }
    return left;
}

ExpressionPtr Parser::power() {
    ExpressionPtr left = unary();
    while (is_sign("**")) {
        const Place place = now().place;
        advance();
        ExpressionPtr right = unary();
        const Expression *l = left.get(), *r = right.get();
        left = make(place, Binary{Operator::power, std::move(left), std::move(right)}, {l, r});
    }
    return left;
}

ExpressionPtr Parser::unary(bool filters) {
    ExpressionPtr value;
    if (is_sign("-") || is_sign("+")) {
        const Level level(*this);
        const Place place = now().place;
        const bool negative = is_sign("-");
        advance();
        ExpressionPtr operand = unary(false);
        const Expression* o = operand.get();
        value = make(place, Sign{std::move(operand), negative}, {o});
    } else {
        value = primary();
    }
    value = postfix(std::move(value));
    return filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr Parser::primary() {
    const Token& token = now();
    const Place place = token.place;
    switch (token.kind) {
        case TokenKind::name: {
            const Shared name = names_.intern(token.text);
            advance();
            if (*name == "true" || *name == "True") return make(place, Constant{Value::of(true)});
            if (*name == "false" || *name == "False") return make(place, Constant{Value::of(false)});
            if (*name == "none" || *name == "None") return make(place, Constant{Value::none()});
            names_.load(name);
            for (MacroBody* macro : macros_) {
                if (*name == "caller") macro->caller = name;
                if (*name == "varargs") macro->varargs = name;
                if (*name == "kwargs") macro->kwargs = name;
            }
            return make(place, Name{name});
        }
        case TokenKind::text: {
            std::string text;
            for (; now().kind == TokenKind::text; advance()) text += now().text;  // neighbours are one text
            return make(place, Constant{Value::text(std::move(text))});
        }
        case TokenKind::integer: {
            const auto value = token.integer;
            advance();
            return make(place, Constant{Value::of(value)});
        }
        case TokenKind::real: {
            const double value = token.real;
            advance();
            return make(place, Constant{Value::of(value)});
        }
        default: break;
    }
    if (skip_sign("(")) {
        ExpressionPtr inner = tuple(true, true);
        expect_sign(")");
        return inner;
    }
    if (is_sign("[")) return list_literal();
    if (is_sign("{")) return dict_literal();
    refuse_token("an expression");
}

ExpressionPtr Parser::list_literal() {
    const Level level(*this);
    const Place place = now().place;
    expect_sign("[");
    std::vector<ExpressionPtr> items;
    int depth = 0;
    while (!is_sign("]")) {
        if (!items.empty()) expect_sign(",");
        if (is_sign("]")) break;
        items.push_back(expression());
        depth = std::max(depth, items.back()->depth);
    }
    expect_sign("]");
    return make_many(place, ListLiteral{std::move(items)}, depth);
}

ExpressionPtr Parser::dict_literal() {
    const Level level(*this);
    const Place place = now().place;
    expect_sign("{");
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
    int depth = 0;
    while (!is_sign("}")) {
        if (!entries.empty()) expect_sign(",");
        if (is_sign("}")) break;
        ExpressionPtr key = expression();
        expect_sign(":");
        ExpressionPtr value = expression();
        depth = std::max({depth, key->depth, value->depth});
        entries.emplace_back(std::move(key), std::move(value));
    }
    expect_sign("}");
    return make_many(place, DictLiteral{std::move(entries)}, depth);
}

ExpressionPtr Parser::tuple(bool with_conditional, bool parentheses, std::string_view end) {
    const Place place = now().place;
    const auto ends = [&] {
        return now().kind == TokenKind::print_end || now().kind == TokenKind::block_end || is_sign(")") || (!end.empty() && is_name(end));
    };
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    int depth = 0;
    while (true) {
        if (!items.empty()) expect_sign(",");
        if (ends()) break;
        items.push_back(expression(with_conditional));
        depth = std::max(depth, items.back()->depth);
        if (!is_sign(",")) break;
        is_tuple = true;
    }
    if (!is_tuple && !items.empty()) return std::move(items[0]);
    if (!is_tuple && !parentheses) refuse_token("an expression");
    return make_many(place, TupleLiteral{std::move(items)}, depth);
}

}  // namespace temper::jinja
