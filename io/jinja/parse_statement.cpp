#include <algorithm>

#include "io/jinja/parser.h"

namespace temper::jinja {

bool Parser::skip_sign(std::string_view sign) {
    if (!is_sign(sign)) return false;
    advance();
    return true;
}
bool Parser::skip_name(std::string_view name) {
    if (!is_name(name)) return false;
    advance();
    return true;
}
void Parser::expect_sign(std::string_view sign) {
    if (!skip_sign(sign)) refuse_token(fmt::format("'{}'", sign));
}
void Parser::expect_name(std::string_view name) {
    if (!skip_name(name)) refuse_token(fmt::format("'{}'", name));
}
void Parser::expect_kind(TokenKind kind, std::string_view what) {
    if (now().kind != kind) refuse_token(what);
    advance();
}
Shared Parser::any_name(std::string_view what) {
    if (now().kind != TokenKind::name) refuse_token(what);
    Shared name = names_.intern(now().text);
    advance();
    return name;
}

void Parser::refuse_token(std::string_view expected) const {
    std::string found;
    switch (now().kind) {
        case TokenKind::data: found = "text"; break;
        case TokenKind::print_begin: found = "'{{'"; break;
        case TokenKind::print_end: found = "'}}'"; break;
        case TokenKind::block_begin: found = "'{%'"; break;
        case TokenKind::block_end: found = "'%}'"; break;
        case TokenKind::text: found = "a text literal"; break;
        case TokenKind::end: found = "the end of the template"; break;
        default: found = fmt::format("'{}'", now().text);
    }
    refuse(fmt::format("expected {}, found {}", expected, found));
}

Template Parser::parse() {
    Template result;
    result.body = body({});
    result.hidden = names_.root();
    result.has_generation = has_generation_;
    result.strict = strict_;
    names_.resolve();
    return result;
}

Template parse_template(std::string_view source, const Dialect& dialect) { return Parser(source, dialect).parse(); }

Body Parser::body(std::initializer_list<std::string_view> ends) {
    const Level level(*this);
    Body out;
    while (true) {
        const Place place = now().place;
        switch (now().kind) {
            case TokenKind::data:
                out.push_back({place, Data{std::make_shared<const std::string>(now().text)}});
                advance();
                break;
            case TokenKind::print_begin: {
                advance();
                Print print;
                print.values.push_back(tuple());
                out.push_back({place, std::move(print)});
                expect_kind(TokenKind::print_end, "'}}'");
                break;
            }
            case TokenKind::block_begin:
                advance();
                if (std::ranges::any_of(ends, [&](std::string_view end) { return is_name(end); })) return out;
                statement(out);
                expect_kind(TokenKind::block_end, "'%}'");
                break;
            default:
                if (now().kind == TokenKind::end && ends.size() == 0) return out;
                refuse_token(ends.size() ? fmt::format("{{% {} %}}", *std::prev(ends.end())) : "text or a tag");
        }
    }
}

Body Parser::block(std::initializer_list<std::string_view> ends) {
    skip_sign(":");
    expect_kind(TokenKind::block_end, "'%}'");
    return body(ends);
}

void Parser::statement(Body& out) {
    const Place place = now().place;
    const std::string tag = *any_name("a tag name");
    if (tag == "if") out.push_back(if_statement(place));
    else if (tag == "for") out.push_back(for_statement(place));
    else if (tag == "set") out.push_back(set_statement(place));
    else if (tag == "macro") out.push_back(macro_statement(place));
    else if (tag == "call") out.push_back(call_statement(place));
    else if (tag == "filter") out.push_back(filter_statement(place));
    else if (tag == "with") out.push_back(with_statement(place));
    else if (tag == "generation") out.push_back(generation_statement(place));
    else if (tag == "print") out.push_back(print_statement(place));
    else if (tag == "break" || tag == "continue") out.push_back(loop_control(place, tag == "break"));
    else if (tag == "include" || tag == "import" || tag == "from" || tag == "extends" || tag == "block" || tag == "autoescape")
        throw SyntaxFailure(fmt::format("the tag '{}' is not supported: a chat template stands alone in one file", tag), place);
    else throw SyntaxFailure(fmt::format("unknown tag '{}'", tag), place);
}

Statement Parser::if_statement(Place place) {
    If made;
    while (true) {
        ExpressionPtr condition = tuple(false);
        names_.enter_branch();
        Body branch = block({"elif", "else", "endif"});
        names_.leave_branch();
        made.branches.emplace_back(std::move(condition), std::move(branch));
        if (skip_name("elif")) continue;
        if (skip_name("else")) {
            names_.enter_branch();
            made.otherwise = block({"endif"});
            names_.leave_branch();
        }
        expect_name("endif");
        return {place, std::move(made)};
    }
}

Statement Parser::for_statement(Place place) {
    For made;
    made.target = target(false, "in");
    expect_name("in");
    made.iterable = tuple(false, false, "recursive");
    made.hidden = names_.open();
    declare(made.target);
    if (skip_name("if")) made.condition = expression();
    made.recursive = skip_name("recursive");
    made.loop_name = names_.intern("loop");
    names_.parameter(made.loop_name);
    ++loops_;
    ++loop_scopes_;
    made.body = block({"endfor", "else"});
    --loops_;
    --loop_scopes_;
    names_.close();
    made.hidden_otherwise = names_.open();
    if (skip_name("else")) made.otherwise = block({"endfor"});
    names_.close();
    expect_name("endfor");
    return {place, std::move(made)};
}

Statement Parser::set_statement(Place place) {
    Target into = target(true, {});
    if (skip_sign("=")) {
        Set made{std::move(into), tuple()};
        store(made.target);
        return {place, std::move(made)};
    }
    SetBlock made;
    made.target = std::move(into);
    store(made.target);
    if (is_sign("|")) made.filter = filter_chain(nullptr, false);
    made.hidden = names_.open();
    made.body = block({"endset"});
    names_.close();
    expect_name("endset");
    return {place, std::move(made)};
}

std::shared_ptr<MacroBody> Parser::macro_body(Shared name, bool has_parameters, std::string_view end) {
    auto made = std::make_shared<MacroBody>();
    made->name = std::move(name);
    made->hidden = names_.open();
    macros_.push_back(made.get());
    const int loops_outside = std::exchange(loops_, 0);  // break does not reach through a macro
    if (has_parameters) {
        expect_sign("(");
        while (!is_sign(")")) {
            if (!made->parameters.empty()) expect_sign(",");
            Parameter parameter{any_name("a parameter name"), nullptr};
            names_.parameter(parameter.name);
            if (skip_sign("=")) parameter.otherwise = expression();
            else if (!made->parameters.empty() && made->parameters.back().otherwise) refuse("non-default argument follows default argument");
            made->parameters.push_back(std::move(parameter));
        }
        expect_sign(")");
    }
    if (end == "endmacro") {
        made->body = block({"endmacro"});
        expect_name("endmacro");
    }
    loops_ = loops_outside;
    macros_.pop_back();
    names_.close();
    return made;
}

Statement Parser::macro_statement(Place place) {
    Shared name = any_name("a macro name");
    names_.store(name);
    return {place, Macro{macro_body(std::move(name), true, "endmacro")}};
}

// The call comes between the parameters and the body, and belongs to the scope outside of both.
Statement Parser::call_statement(Place place) {
    CallBlock made;
    std::shared_ptr<MacroBody> caller = macro_body(names_.intern("caller"), is_sign("("), {});
    made.call = expression();
    if (!std::holds_alternative<Call>(made.call->node)) throw SyntaxFailure("expected a call after 'call'", place);
    caller->hidden = names_.open();
    for (const Parameter& parameter : caller->parameters) names_.parameter(parameter.name);
    macros_.push_back(caller.get());
    const int loops_outside = std::exchange(loops_, 0);
    caller->body = block({"endcall"});
    loops_ = loops_outside;
    macros_.pop_back();
    names_.close();
    expect_name("endcall");
    made.body = std::move(caller);
    return {place, std::move(made)};
}

Statement Parser::filter_statement(Place place) {
    FilterBlock made;
    made.filter = filter_chain(nullptr, true);
    made.hidden = names_.open();
    made.body = block({"endfilter"});
    names_.close();
    expect_name("endfilter");
    return {place, std::move(made)};
}

Statement Parser::with_statement(Place place) {
    With made;
    while (now().kind != TokenKind::block_end) {
        if (!made.values.empty()) expect_sign(",");
        Target into = target(false, {});
        expect_sign("=");
        made.values.emplace_back(std::move(into), expression());
    }
    made.hidden = names_.open();
    for (const auto& [into, value] : made.values) declare(into);
    made.body = block({"endwith"});
    names_.close();
    expect_name("endwith");
    return {place, std::move(made)};
}

Statement Parser::generation_statement(Place place) {
    Generation made;
    has_generation_ = true;
    made.hidden = names_.open();
    const int loops_outside = std::exchange(loops_, 0);
    made.body = block({"endgeneration"});
    loops_ = loops_outside;
    names_.close();
    expect_name("endgeneration");
    return {place, std::move(made)};
}

Statement Parser::print_statement(Place place) {
    Print made;
    while (now().kind != TokenKind::block_end) {
        if (!made.values.empty()) expect_sign(",");
        made.values.push_back(expression());
    }
    return {place, std::move(made)};
}

Statement Parser::loop_control(Place place, bool is_break) {
    if (loops_ == 0) throw SyntaxFailure(fmt::format("'{}' outside of a loop", is_break ? "break" : "continue"), place);
    if (is_break) return {place, Break{}};
    return {place, Continue{}};
}

Target Parser::single_target(bool namespaces) {
    const Level level(*this);
    Target made;
    made.place = now().place;
    if (skip_sign("(")) {
        made = target(false, {});
        expect_sign(")");
        return made;
    }
    made.name = any_name("a name to assign to");
    static constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
    if (std::ranges::find(constants, std::string_view(*made.name)) != std::end(constants))
        throw SyntaxFailure(fmt::format("can't assign to '{}'", *made.name), made.place);
    if (namespaces && skip_sign(".")) made.attribute = any_name("an attribute name");
    return made;
}

Target Parser::target(bool namespaces, std::string_view end) {
    Target first = single_target(namespaces);
    if (!is_sign(",")) return first;
    Target tuple;
    tuple.place = first.place;
    tuple.parts.push_back(std::move(first));
    while (skip_sign(",")) {
        if ((!end.empty() && is_name(end)) || is_sign("=") || is_sign(")")) break;  // a trailing comma
        tuple.parts.push_back(single_target(namespaces));
    }
    return tuple;
}

void Parser::store(const Target& into) {
    for (const Target& part : into.parts) store(part);
    if (!into.name) return;
    if (into.attribute) return names_.load(into.name);
    if (loop_scopes_ > 0 && *into.name == "loop") throw SyntaxFailure("can't assign to the special variable 'loop' in a loop", into.place);
    names_.store(into.name);
}

void Parser::declare(const Target& into) {
    for (const Target& part : into.parts) declare(part);
    if (!into.name) return;
    if (*into.name == "loop") throw SyntaxFailure("can't assign to the special variable 'loop' in a loop", into.place);
    names_.parameter(into.name);
}

}  // namespace temper::jinja
