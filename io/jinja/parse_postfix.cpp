// What follows a value: .name [key] (arguments) |filter and is test.
#include <algorithm>

#include "io/jinja/parser.h"

namespace temper::jinja {

ExpressionPtr Parser::postfix(ExpressionPtr object) {
    while (true) {
        if (is_sign(".") || is_sign("[")) object = subscript(std::move(object));
        else if (is_sign("(")) object = call(std::move(object));
        else return object;
    }
}

ExpressionPtr Parser::filters_and_tests(ExpressionPtr value) {
    while (true) {
        if (is_sign("|")) value = filter_chain(std::move(value), false);
        else if (is_name("is")) value = test(std::move(value));
        else if (is_sign("(")) value = call(std::move(value));
        else return value;
    }
}

ExpressionPtr Parser::subscript(ExpressionPtr object) {
    const Place place = now().place;
    const Expression* o = object.get();
    if (skip_sign("[")) {
        const Level level(*this);
        return item_or_slice(std::move(object), place);
    }
    expect_sign(".");
    if (now().kind == TokenKind::integer) {
        ExpressionPtr index = make(now().place, Constant{Value::of(now().integer)});
        advance();
        return make(place, Item{std::move(object), std::move(index)}, {o});
    }
    Shared name = any_name("a name or number after '.'");
    return make(place, Attribute{std::move(object), std::move(name)}, {o});
}

ExpressionPtr Parser::item_or_slice(ExpressionPtr object, Place place) {
    const Expression* o = object.get();
    ExpressionPtr start = is_sign(":") ? nullptr : expression();
    if (start && !is_sign(":")) {
        int depth = std::max(o->depth, start->depth);
        if (is_sign(",")) {  // x[1, 2] asks for the key (1, 2)
            std::vector<ExpressionPtr> keys;
            keys.push_back(std::move(start));
            while (!is_sign("]")) {
                expect_sign(",");
                keys.push_back(expression());
                depth = std::max(depth, keys.back()->depth);
            }
            start = make_many(place, TupleLiteral{std::move(keys)}, depth);
        }
        expect_sign("]");
        return make_many(place, Item{std::move(object), std::move(start)}, depth + 1);
    }
    expect_sign(":");
    ExpressionPtr stop = is_sign(":") || is_sign("]") ? nullptr : expression();
    ExpressionPtr step;
    if (skip_sign(":") && !is_sign("]")) step = expression();
    expect_sign("]");
    const Expression *a = start.get(), *b = stop.get(), *c = step.get();
    return make(place, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)}, {o, a, b, c});
}

ExpressionPtr Parser::call(ExpressionPtr callee) {
    const Place place = now().place;
    int depth = callee->depth;
    CallArguments given = arguments(depth);
    return make_many(place, Call{std::move(callee), std::move(given)}, depth);
}

CallArguments Parser::arguments(int& depth) {
    const Level level(*this);
    CallArguments given;
    expect_sign("(");
    const auto next = [&] {
        ExpressionPtr value = expression();
        depth = std::max(depth, value->depth);
        return value;
    };
    for (bool first = true; !is_sign(")"); first = false) {
        if (!first) {
            expect_sign(",");
            if (is_sign(")")) break;
        }
        if (is_sign("*") && !given.star && !given.star_star) {
            advance();
            given.star = next();
        } else if (is_sign("**") && !given.star_star) {
            advance();
            given.star_star = next();
        } else if (now().kind == TokenKind::name && ahead().kind == TokenKind::sign && ahead().text == "=" && !given.star_star) {
            Shared name = any_name("an argument name");
            advance();
            for (const auto& [known, value] : given.named)
                if (known == name) refuse(fmt::format("keyword argument repeated: {}", *name));
            given.named.emplace_back(std::move(name), next());
        } else if (!given.star && !given.star_star && given.named.empty()) {
            given.positional.push_back(next());
        } else {
            refuse("positional arguments come before named ones");
        }
    }
    expect_sign(")");
    return given;
}

ExpressionPtr Parser::filter(ExpressionPtr input) {
    const Place place = now().place;
    std::string name = *any_name("a filter name");
    while (skip_sign(".")) name += "." + *any_name("a filter name");
    int depth = input ? input->depth : 0;
    CallArguments given;
    if (is_sign("(")) given = arguments(depth);
    return make_many(place, Filter{std::move(input), names_.intern(name), std::move(given)}, depth);
}

ExpressionPtr Parser::filter_chain(ExpressionPtr input, bool first_without_pipe) {
    if (first_without_pipe) input = filter(std::move(input));
    while (skip_sign("|")) input = filter(std::move(input));
    return input;
}

ExpressionPtr Parser::test(ExpressionPtr value) {
    const Place place = now().place;
    expect_name("is");
    const bool negated = skip_name("not");
    std::string name = *any_name("a test name");
    while (skip_sign(".")) name += "." + *any_name("a test name");
    int depth = value->depth;
    CallArguments given;
    const bool literal =
        now().kind == TokenKind::text || now().kind == TokenKind::integer || now().kind == TokenKind::real || is_sign("[") || is_sign("{");
    const bool word = now().kind == TokenKind::name && !is_name("else") && !is_name("or") && !is_name("and");
    if (is_sign("(")) {
        given = arguments(depth);
    } else if (literal || word) {
        if (is_name("is")) refuse("tests can not be chained with 'is'");
        ExpressionPtr argument = postfix(primary());
        depth = std::max(depth, argument->depth);
        given.positional.push_back(std::move(argument));
    }
    ExpressionPtr made = make_many(place, Test{std::move(value), names_.intern(name), std::move(given)}, depth);
    if (!negated) return made;
    const Expression* m = made.get();
    return make(place, Not{std::move(made)}, {m});
}

}  // namespace temper::jinja
