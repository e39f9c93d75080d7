// Which names a scope reads and sets, collected while the template is parsed. Jinja2 decides at compile time where a name lives; the
// one thing that this changes against a plain chain of scopes is the Hidden list (ast.h), which resolve() fills in.
#pragma once
#include <deque>
#include <string>
#include <unordered_map>

#include "io/jinja/ast.h"

namespace temper::jinja {

class NameTable {
  public:
    NameTable() { scopes_.push_back({0, 0, std::make_shared<std::vector<Shared>>(), {}}); }

    // One object per spelling, so that scopes can compare names by address.
    Shared intern(const std::string& name) {
        Shared& known = names_[name];
        if (!known) known = std::make_shared<const std::string>(name);
        return known;
    }

    // Scopes nest as the parser goes.
    Hidden open() {
        scopes_.push_back({current_, 0, std::make_shared<std::vector<Shared>>(), {}});
        current_ = scopes_.size() - 1;
        return scopes_.back().hidden;
    }
    void close() { current_ = scopes_[current_].parent; }
    Hidden root() const { return scopes_[0].hidden; }
    // Inside the branches of an if a first assignment does not hide a variable of the caller.
    void enter_branch() { ++scopes_[current_].branches; }
    void leave_branch() { --scopes_[current_].branches; }

    void load(const Shared& name) { mention(name, Use::outer); }
    void store(const Shared& name) { mention(name, scopes_[current_].branches ? Use::outer : Use::hidden); }
    void parameter(const Shared& name) { scopes_[current_].uses[name] = Use::parameter; }

    // After the whole template is read.
    void resolve() {
        for (std::size_t scope = 0; scope < scopes_.size(); ++scope)
            for (const auto& [name, use] : scopes_[scope].uses)
                if (use == Use::hidden && !known_outside(scope, name)) scopes_[scope].hidden->push_back(name);
    }

  private:
    enum class Use { outer, hidden, parameter };
    struct Names {
        std::size_t parent;
        int branches;
        Hidden hidden;
        std::unordered_map<Shared, Use> uses;  // by first mention
    };
    void mention(const Shared& name, Use use) { scopes_[current_].uses.emplace(name, use); }
    bool known_outside(std::size_t scope, const Shared& name) const {
        while (scope != 0) {
            scope = scopes_[scope].parent;
            if (scopes_[scope].uses.contains(name)) return true;
        }
        return false;
    }

    std::deque<Names> scopes_;
    std::size_t current_ = 0;
    std::unordered_map<std::string, Shared> names_;
};

}  // namespace temper::jinja
