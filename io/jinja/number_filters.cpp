// int, float, abs, round.
#include <cmath>

#include "io/jinja/format.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/literals.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"

namespace temper::jinja {
namespace {

std::int64_t truncated(double number) {
    if (!(std::abs(number) < 9223372036854775808.0)) fail("the number {} does not fit in a 64-bit integer", number);
    return static_cast<std::int64_t>(number);
}

Value to_integer(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("int", given, {"default", "base"});
    const Value otherwise = bound.has(0) ? *bound[0] : Value::of(std::int64_t(0));
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (value.is_integer()) return Value::of(value.integer());
    if (const double* real = value.as<double>()) return std::isnan(*real) ? otherwise : Value::of(truncated(*real));
    if (!value.is_text()) return otherwise;
    const std::int64_t base = bound.integer(1, 10);
    if (base == 0 || (base >= 2 && base <= 36))
        if (const std::optional<std::int64_t> number = parse_integer(value.text_bytes(), static_cast<int>(base))) return Value::of(*number);
    const std::optional<double> real = parse_float(value.text_bytes());
    return real && std::isfinite(*real) ? Value::of(truncated(*real)) : otherwise;
}

Value to_float(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("float", given, {"default"});
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (value.is_number()) return Value::of(value.number());
    if (value.is_text())
        if (const std::optional<double> number = parse_float(value.text_bytes())) return Value::of(*number);
    return bound.has(0) ? *bound[0] : Value::of(0.0);
}

Value absolute(Interpreter&, const Value& value, Arguments& given) {
    const Bound bound("abs", given, {});
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (const double* real = value.as<double>()) return Value::of(std::abs(*real));
    if (!value.is_integer()) fail("abs: expected a number, found '{}'", value.type_name());
    return value.integer() < 0 ? negated(value) : Value::of(value.integer());
}

// Python's round(): the exact decimal value decides and ties go to even, so the digits are printed and read back.
double rounded(double number, std::int64_t precision) {
    if (!std::isfinite(number) || precision > 323) return number;
    if (precision < -308) return std::copysign(0.0, number);
    if (precision >= 0) return std::strtod(format_float(number, 'f', static_cast<int>(precision)).c_str(), nullptr);
    const double scale = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(number / scale) * scale;
}

Value round_integer(std::int64_t number, std::int64_t precision) {
    if (precision >= 0) return Value::of(number);
    if (precision < -18) return Value::of(std::int64_t(0));
    std::int64_t scale = 1;
    for (std::int64_t i = 0; i < -precision; ++i) scale *= 10;
    std::int64_t quotient = number / scale;
    const std::int64_t rest = std::abs(number % scale);
    if (rest * 2 > scale || (rest * 2 == scale && quotient % 2 != 0)) quotient += number < 0 ? -1 : 1;
    return Value::of(quotient * scale);
}

Value round(Interpreter& run, const Value& value, Arguments& given) {
    const Bound bound("round", given, {"precision", "method"});
    const std::string method = bound.has(1) ? bound.text(1) : "common";
    const std::int64_t precision = bound.integer(0, 0);
    if (method != "common" && method != "ceil" && method != "floor") fail("round: method must be common, ceil or floor");
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_number()) fail("round: expected a number, found '{}'", value.type_name());
    if (method == "common") {
        return value.is_integer() ? round_integer(value.integer(), precision) : Value::of(rounded(value.number(), precision));
    }
    const Value scale = calculate(run.budget(), Operator::power, Value::of(std::int64_t(10)), Value::of(precision));
    const double scaled = calculate(run.budget(), Operator::multiply, value, scale).number();
    const std::int64_t whole = truncated(method == "ceil" ? std::ceil(scaled) : std::floor(scaled));
    return calculate(run.budget(), Operator::divide, Value::of(whole), scale);
}

}  // namespace

FilterFunction find_number_filter(std::string_view name) {
    if (name == "int") return to_integer;
    if (name == "float") return to_float;
    if (name == "abs") return absolute;
    if (name == "round") return round;
    return nullptr;
}

}  // namespace temper::jinja
