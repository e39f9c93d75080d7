// Python's two ways to fill in a text: "%s is %d" % values, and "{} is {}".format(...).
#pragma once
#include <string>

#include "io/jinja/arguments.h"
#include "io/jinja/value.h"

namespace temper::jinja {

// `values` is a tuple, a mapping for %(name)s, or the one value.
Value percent_format(Budget& budget, const Value& pattern, const Value& values);
// {} {0} {name} {0.attribute[key]} with !s !r and [[fill]align][sign][#][0][width][,][.precision][type].
Value brace_format(Interpreter& interpreter, const std::string& pattern, const Arguments& arguments);
// One value under a format specification such as ">10" or ".2f".
std::string format_value(Budget& budget, const Value& value, std::string_view specification);
// `number` in a printf type: d i o x X e E f F g G.
std::string format_float(double number, char type, int precision);

}  // namespace temper::jinja
