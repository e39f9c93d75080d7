// Methods of text, lists and dicts, and the functions that every template can call.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "io/jinja/arguments.h"
#include "io/jinja/value.h"

namespace temper::jinja {

using Method = Value (*)(Interpreter&, const Value& self, Arguments&);

enum class MethodKind {
    absent,
    usable,
    unsupported,  // Python has it, this interpreter does not
    forbidden,    // it would change its object, or reach into Python
};
struct MethodLookup {
    MethodKind kind = MethodKind::absent;
    Method method = nullptr;
};
MethodLookup find_method(const Value& self, std::string_view name);
MethodLookup find_text_method(std::string_view name);
MethodLookup find_container_method(const Value& self, std::string_view name);

// str.replace: `most` occurrences from the left, all when negative.
std::string replaced(Budget& budget, const std::string& text, const std::string& from, const std::string& to, std::int64_t most);

// range, dict, namespace, raise_exception, strftime_now; nothing for another name.
std::optional<Value> global_function(std::string_view name);

using FilterFunction = Value (*)(Interpreter&, const Value& input, Arguments&);
using TestFunction = bool (*)(Interpreter&, const Value& input, Arguments&);
FilterFunction find_text_filter(std::string_view name);  // null for an unknown name
FilterFunction find_sequence_filter(std::string_view name);
FilterFunction find_number_filter(std::string_view name);
TestFunction find_test(std::string_view name);

}  // namespace temper::jinja
