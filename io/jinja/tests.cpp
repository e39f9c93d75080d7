// What may follow `is`.
#include <unordered_map>

#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

void no_arguments(Arguments& given) { const Bound bound("the test", given, {}); }

template <bool (*passes)(const Value&)> bool plain(Interpreter&, const Value& value, Arguments& given) {
    no_arguments(given);
    return passes(value);
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.as<bool>() != nullptr; }
bool is_integer(const Value& v) { return v.as<std::int64_t>() != nullptr; }
bool is_float(const Value& v) { return v.as<double>() != nullptr; }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_text(); }
bool is_mapping(const Value& v) { return v.is_mapping(); }
bool is_escaped(const Value& v) { return v.is_markup(); }
bool is_sequence(const Value& value) { return value.is_undefined() || value.has_length_and_items(); }
bool is_callable(const Value& value) { return value.object<Callable>() || value.object<Loop>() || value.is_undefined(); }
bool is_true(const Value& value) { return value.as<bool>() && *value.as<bool>(); }
bool is_false(const Value& value) { return value.as<bool>() && !*value.as<bool>(); }
bool is_lower(const Value& value) { return is_cased_lower(text_of(value)); }
bool is_upper(const Value& value) { return is_cased_upper(text_of(value)); }

template <Comparison comparison> bool compared(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("the test", given, {""}, 1);
    return compare(comparison, value, *bound[0]);
}

template <int rest> bool parity(Interpreter& run, const Value& value, Arguments& given) {
    no_arguments(given);
    return equal(calculate(run.budget(), Operator::modulo, value, Value::of(std::int64_t(2))), Value::of(std::int64_t(rest)));
}

bool divisible(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("divisibleby", given, {"num"}, 1);
    return equal(calculate(run.budget(), Operator::modulo, value, *bound[0]), Value::of(std::int64_t(0)));
}

bool same(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("sameas", given, {"other"}, 1);
    const Value& other = *bound[0];
    if (value.data().index() != other.data().index()) return false;
    if (value.is_none() || value.as<bool>() || value.as<std::int64_t>() || value.is_text()) return equal(value, other);
    return false;
}

bool within(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("in", given, {"seq"}, 1);
    return contains(*bound[0], value);
}

bool known_filter(Interpreter&, const Value& value, Arguments& given) {
    no_arguments(given);
    if (!value.is_text()) return false;
    const std::string& name = value.text_bytes();
    return find_text_filter(name) || find_sequence_filter(name) || find_number_filter(name);
}
bool known_test(Interpreter&, const Value& value, Arguments& given) {
    no_arguments(given);
    return value.is_text() && find_test(value.text_bytes());
}

}  // namespace

TestFunction find_test(std::string_view name) {
    static const std::unordered_map<std::string_view, TestFunction> table = {
        {"defined", plain<is_defined>},
        {"undefined", plain<is_undefined>},
        {"none", plain<is_none>},
        {"boolean", plain<is_boolean>},
        {"true", plain<is_true>},
        {"false", plain<is_false>},
        {"integer", plain<is_integer>},
        {"float", plain<is_float>},
        {"number", plain<is_number>},
        {"string", plain<is_string>},
        {"mapping", plain<is_mapping>},
        {"iterable", plain<is_iterable>},
        {"sequence", plain<is_sequence>},
        {"callable", plain<is_callable>},
        {"escaped", plain<is_escaped>},
        {"lower", plain<is_lower>},
        {"upper", plain<is_upper>},
        {"odd", parity<1>},
        {"even", parity<0>},
        {"divisibleby", divisible},
        {"sameas", same},
        {"in", within},
        {"filter", known_filter},
        {"test", known_test},
        {"==", compared<Comparison::equal>},
        {"eq", compared<Comparison::equal>},
        {"equalto", compared<Comparison::equal>},
        {"!=", compared<Comparison::not_equal>},
        {"ne", compared<Comparison::not_equal>},
        {"<", compared<Comparison::less>},
        {"lt", compared<Comparison::less>},
        {"lessthan", compared<Comparison::less>},
        {"<=", compared<Comparison::less_equal>},
        {"le", compared<Comparison::less_equal>},
        {">", compared<Comparison::greater>},
        {"gt", compared<Comparison::greater>},
        {"greaterthan", compared<Comparison::greater>},
        {">=", compared<Comparison::greater_equal>},
        {"ge", compared<Comparison::greater_equal>},
    };
    const auto found = table.find(name);
    return found == table.end() ? nullptr : found->second;
}

}  // namespace temper::jinja
