// What a call passes, and how it is bound to the parameters of a function that is written in C++.
#pragma once
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/jinja/value.h"

namespace temper::jinja {

class Arguments {
  public:
    std::vector<Value> positional;
    std::vector<std::pair<Shared, Value>> named;

    bool empty() const { return positional.empty() && named.empty(); }
    // Takes a named argument out, as kwargs.pop does.
    std::optional<Value> pop(std::string_view name);
};

// Arguments by parameter, null where not given. Python's errors for too many, unknown, repeated and missing (of the first `required`) ones.
// A parameter without a name is positional only.
class Bound {
  public:
    Bound(std::string_view function, const Arguments& given, std::initializer_list<std::string_view> parameters, std::size_t required = 0);
    const Value* operator[](std::size_t parameter) const { return values_[parameter]; }
    bool has(std::size_t parameter) const { return values_[parameter] != nullptr; }

    // Checked readings; `otherwise` when the argument is absent.
    std::int64_t integer(std::size_t parameter, std::int64_t otherwise) const;
    bool truth(std::size_t parameter, bool otherwise) const;
    const std::string& text(std::size_t parameter) const;  // of a given one
    // Null when absent or None.
    const std::string* optional_text(std::size_t parameter) const;

  private:
    static constexpr std::size_t most = 6;
    std::string_view function_;
    std::array<const Value*, most> values_{};
};

}  // namespace temper::jinja
