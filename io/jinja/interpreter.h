// One rendering of a parsed template: walks the tree, keeps the scopes and the output. Everything here lives for one call.
#pragma once
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/jinja/arguments.h"
#include "io/jinja/ast.h"
#include "io/jinja/loop.h"
#include "io/jinja/value.h"

namespace temper::jinja {

// Names set in one block. A macro keeps the scope that it was written in.
struct Scope {
    std::shared_ptr<Scope> outer;
    std::vector<std::pair<const std::string*, Value>> names;  // by the address of the interned name
};

class Interpreter {
  public:
    using Variables = std::vector<std::pair<std::string, Value>>;
    using Clock = std::function<std::time_t()>;
    using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

    Interpreter(const Template& source, const Variables& variables, const Clock& clock) : template_(source), variables_(variables), clock_(clock) {}
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    // Failure from any operation; failed_at() then names the node.
    std::string run();
    const Ranges& generated() const { return generated_; }  // bytes of the output inside generation blocks
    Place failed_at() const { return failed_at_.value_or(Place{}); }

    Budget& budget() { return budget_; }
    std::time_t now() const { return clock_(); }
    Value call(const Value& callee, Arguments& arguments);
    Value make_namespace(std::vector<std::pair<Shared, Value>> attributes);
    Value filtered(std::string_view name, const Value& input, Arguments& arguments);
    bool tested(std::string_view name, const Value& input, Arguments& arguments);
    // object.name and object[key] as the sandbox resolves them: a missing one is Undefined, one that would change its object as well.
    Value attribute(const Value& object, const Shared& name);
    Value item(const Value& object, const Value& key);

  private:
    static constexpr int max_depth = 600;  // of blocks, expressions and macro calls within each other
    enum class Flow { normal, stop, next };
    using ScopePtr = std::shared_ptr<Scope>;

    // execute.cpp
    Flow execute(const Body& body);
    Flow run_one(const Data&);
    Flow run_one(const Print&);
    Flow run_one(const If&);
    Flow run_one(const For&);
    Flow run_one(const Set&);
    Flow run_one(const SetBlock&);
    Flow run_one(const Macro&);
    Flow run_one(const CallBlock&);
    Flow run_one(const FilterBlock&);
    Flow run_one(const With&);
    Flow run_one(const Generation&);
    Flow run_one(const Break&) { return Flow::stop; }
    Flow run_one(const Continue&) { return Flow::next; }
    Flow loop_over(const For& loop, const Value& iterable, const ScopePtr& outer, int depth0);
    std::vector<Value> loop_items(const For& loop, const Value& iterable, const ScopePtr& outer);
    Value recurse(const Loop& loop, Arguments& arguments);
    void write(std::string_view text);
    // Runs the body with its output kept apart.
    Flow capture(const Body& body, const Hidden& hidden, std::string& into);
    Value macro(const MacroBody& body);
    Value call_macro(const MacroBody& body, const ScopePtr& closure, Arguments& arguments);
    void bind_parameters(const MacroBody& body, Arguments& arguments);

    ScopePtr open_scope(const ScopePtr& outer, const Hidden& hidden);
    void assign(const Target& target, const Value& value);
    void set_name(const Shared& name, Value value);
    Value lookup(const Shared& name) const;

    // evaluate.cpp
    Value evaluate(const Expression& expression);
    Value value_of(const Constant&);
    Value value_of(const Name&);
    Value value_of(const TupleLiteral&);
    Value value_of(const ListLiteral&);
    Value value_of(const DictLiteral&);
    Value value_of(const Attribute&);
    Value value_of(const Item&);
    Value value_of(const Slice&);
    Value value_of(const Call&);
    Value value_of(const Filter&);
    Value value_of(const Test&);
    Value value_of(const Not&);
    Value value_of(const Sign&);
    Value value_of(const Logical&);
    Value value_of(const Binary&);
    Value value_of(const Concatenation&);
    Value value_of(const Chain&);
    Value value_of(const Conditional&);
    std::vector<Value> all(const std::vector<ExpressionPtr>& expressions);
    Arguments arguments_of(const CallArguments& given);
    Value call_node(const Call& call, const Value* caller);
    // Filters of a block: the innermost has no input expression and takes `input`.
    Value filter_block(const Expression& filter, const Value& input);

    const Template& template_;
    const Variables& variables_;
    const Clock& clock_;
    Budget budget_;
    ScopePtr scope_;
    std::string output_;
    std::string* out_ = &output_;
    Ranges generated_;
    std::optional<Place> failed_at_;
    int depth_ = 0;
    const Value* block_input_ = nullptr;
    // What can take part in a cycle of shared pointers; emptied at the end.
    std::vector<ScopePtr> captured_;
    std::vector<Ptr<Namespace>> namespaces_;
};

}  // namespace temper::jinja
