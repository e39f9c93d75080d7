// Recursive descent over the tokens, with Jinja2's precedences. Depth is capped: neither the parser nor whoever walks the tree can
// run out of stack.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "io/jinja/ast.h"
#include "io/jinja/names.h"

namespace temper::jinja {

class Parser {
  public:
    Parser(std::string_view source, const Dialect& dialect) : tokens_(tokenize(source, dialect)), strict_(dialect.strict) {}
    Template parse();

  private:
    static constexpr int max_nesting = 100;     // of brackets, signs and blocks
    static constexpr int max_tree_depth = 300;  // of one expression, as a + b + c + ... builds it

    // Counts one level while it lives.
    struct Level {
        explicit Level(Parser& parser) : parser_(parser) {
            if (++parser_.nesting_ > max_nesting) parser_.refuse(fmt::format("nested more than {} levels deep", max_nesting));
        }
        ~Level() { --parser_.nesting_; }
        Parser& parser_;
    };

    // Tokens
    const Token& now() const { return tokens_[at_]; }
    const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    void advance() {
        if (at_ + 1 < tokens_.size()) ++at_;
    }
    bool is_sign(std::string_view sign) const { return now().kind == TokenKind::sign && now().text == sign; }
    bool is_name(std::string_view name) const { return now().kind == TokenKind::name && now().text == name; }
    bool skip_sign(std::string_view sign);
    bool skip_name(std::string_view name);
    void expect_sign(std::string_view sign);
    void expect_name(std::string_view name);
    void expect_kind(TokenKind kind, std::string_view what);
    Shared any_name(std::string_view what);
    [[noreturn]] void refuse(const std::string& message) const { throw SyntaxFailure(message, now().place); }
    [[noreturn]] void refuse_token(std::string_view expected) const;

    // Expressions (parse_expression.cpp, parse_postfix.cpp)
    template <class Node> ExpressionPtr make(Place place, Node node, std::initializer_list<const Expression*> below = {});
    template <class Node> ExpressionPtr make_many(Place place, Node node, int depth);
    ExpressionPtr expression(bool conditional = true);
    ExpressionPtr conditional();
    ExpressionPtr either();
    ExpressionPtr both();
    ExpressionPtr negation();
    ExpressionPtr comparison();
    ExpressionPtr sum();
    ExpressionPtr concatenation();
    ExpressionPtr product();
    ExpressionPtr power();
    ExpressionPtr unary(bool filters = true);
    ExpressionPtr primary();
    ExpressionPtr list_literal();
    ExpressionPtr dict_literal();
    // One expression, or a tuple when a comma follows; stops at the name `end` as well.
    ExpressionPtr tuple(bool conditional = true, bool parentheses = false, std::string_view end = {});
    ExpressionPtr postfix(ExpressionPtr object);
    ExpressionPtr filters_and_tests(ExpressionPtr value);
    ExpressionPtr subscript(ExpressionPtr object);
    ExpressionPtr item_or_slice(ExpressionPtr object, Place place);
    ExpressionPtr call(ExpressionPtr callee);
    ExpressionPtr filter(ExpressionPtr input);
    ExpressionPtr filter_chain(ExpressionPtr input, bool first_without_pipe);
    ExpressionPtr test(ExpressionPtr value);
    CallArguments arguments(int& depth);

    // Statements (parse_statement.cpp)
    Body body(std::initializer_list<std::string_view> ends);   // stops before the end tag's name
    Body block(std::initializer_list<std::string_view> ends);  // from the end of the opening tag
    void statement(Body& out);
    Statement if_statement(Place place);
    Statement for_statement(Place place);
    Statement set_statement(Place place);
    Statement macro_statement(Place place);
    Statement call_statement(Place place);
    Statement filter_statement(Place place);
    Statement with_statement(Place place);
    Statement generation_statement(Place place);
    Statement print_statement(Place place);
    Statement loop_control(Place place, bool is_break);
    std::shared_ptr<MacroBody> macro_body(Shared name, bool has_parameters, std::string_view end);
    Target target(bool namespaces, std::string_view end);
    Target single_target(bool namespaces);
    void store(const Target& target);
    void declare(const Target& target);

    std::vector<Token> tokens_;
    bool strict_;
    std::size_t at_ = 0;
    int nesting_ = 0;
    int loops_ = 0;                   // for blocks around, in this macro
    int loop_scopes_ = 0;             // for blocks around at all: their `loop` must not be assigned
    std::vector<MacroBody*> macros_;  // around, innermost last
    bool has_generation_ = false;
    NameTable names_;
};

template <class Node> ExpressionPtr Parser::make_many(Place place, Node node, int depth) {
    if (depth + 1 > max_tree_depth) throw SyntaxFailure(fmt::format("an expression of more than {} steps", max_tree_depth), place);
    auto made = std::make_unique<Expression>();
    made->place = place;
    made->depth = depth + 1;
    made->node = std::move(node);
    return made;
}

template <class Node> ExpressionPtr Parser::make(Place place, Node node, std::initializer_list<const Expression*> below) {
    int deepest = 0;
    for (const Expression* child : below)
        if (child) deepest = std::max(deepest, child->depth);
    return make_many(place, std::move(node), deepest);
}

}  // namespace temper::jinja
