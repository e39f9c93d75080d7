// Python's operators on Values. Types that do not go together fail with both their names.
#pragma once
#include <string_view>

#include "io/jinja/value.h"

namespace temper::jinja {

enum class Operator { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class Comparison { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

bool truthy(const Value& value);
bool equal(const Value& a, const Value& b, int level = 0);
int order(const Value& a, const Value& b, int level = 0);  // <0, 0, >0; 2 when unordered (NaN)
bool compare(Comparison comparison, const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);  // item in container
Value calculate(Budget& budget, Operator op, const Value& a, const Value& b);
Value negated(const Value& value);
Value slice(Budget& budget, const Value& value, const Value& start, const Value& stop, const Value& step);
// The item at an integer position (negative counts from the end); Undefined when there is none.
Value item_at(const Value& sequence, std::int64_t index);

}  // namespace temper::jinja
