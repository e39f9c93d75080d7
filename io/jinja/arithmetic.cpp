// + - * / // % ** with Python's rules: integers of 64 bits whose overflow is an error, floor division, text and list repetition.
#include <cmath>

#include "io/jinja/format.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

constexpr const char* symbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void refuse(Operator op, const Value& a, const Value& b) {
    fail("unsupported operand types for {}: '{}' and '{}'", symbols[static_cast<int>(op)], a.type_name(), b.type_name());
}

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
    const std::int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
    std::int64_t result = 1;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) fail("the integer result of ** does not fit in 64 bits");
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) fail("the integer result of ** does not fit in 64 bits");
    }
    return result;
}

Value floats(Operator op, double a, double b);

Value integers(Operator op, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    bool overflow = false;
    switch (op) {
        case Operator::add: overflow = __builtin_add_overflow(a, b, &result); break;
        case Operator::subtract: overflow = __builtin_sub_overflow(a, b, &result); break;
        case Operator::multiply: overflow = __builtin_mul_overflow(a, b, &result); break;
        case Operator::divide:
            if (b == 0) fail("division by zero");
            return Value::of(static_cast<double>(a) / static_cast<double>(b));
        case Operator::floor_divide:
            if (b == 0) fail("integer division or modulo by zero");
            if ((overflow = a == INT64_MIN && b == -1)) break;
            return Value::of(floor_quotient(a, b));
        case Operator::modulo:
            if (b == 0) fail("integer division or modulo by zero");
            if (b == -1) return Value::of(std::int64_t(0));
            return Value::of(a - floor_quotient(a, b) * b);
        case Operator::power:
            if (b < 0 && a == 0) fail("0 cannot be raised to a negative power");
            if (b < 0) return floats(op, static_cast<double>(a), static_cast<double>(b));
            if (a == 0 || a == 1) return Value::of(b == 0 ? std::int64_t(1) : a);
            if (a == -1) return Value::of(b % 2 ? std::int64_t(-1) : std::int64_t(1));
            return Value::of(integer_power(a, b));
    }
    if (overflow) fail("the integer result of {} does not fit in 64 bits", symbols[static_cast<int>(op)]);
    return Value::of(result);
}

double float_modulo(double a, double b) {
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    return rest == 0 ? std::copysign(0.0, b) : rest;
}

Value floats(Operator op, double a, double b) {
    switch (op) {
        case Operator::add: return Value::of(a + b);
        case Operator::subtract: return Value::of(a - b);
        case Operator::multiply: return Value::of(a * b);
        case Operator::divide:
            if (b == 0) fail("float division by zero");
            return Value::of(a / b);
        case Operator::floor_divide: {
            if (b == 0) fail("float floor division by zero");
            const double rest = float_modulo(a, b);
            return Value::of(std::floor((a - rest) / b + 0.5));
        }
        case Operator::modulo:
            if (b == 0) fail("float modulo by zero");
            return Value::of(float_modulo(a, b));
        case Operator::power:
            if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
            if (a < 0 && b != std::floor(b)) fail("a negative number to a fractional power is complex, which templates cannot use");
            if (std::isinf(std::pow(a, b)) && std::isfinite(a) && std::isfinite(b)) fail("the result of ** is too large for a float");
            return Value::of(std::pow(a, b));
    }
    return Value();
}

Value joined(Budget& budget, const Value& a, const Value& b) {
    budget.charge_bytes(a.text_bytes().size() + b.text_bytes().size());
    if (a.is_markup() == b.is_markup()) return Value::text(a.text_bytes() + b.text_bytes(), a.is_markup());
    if (a.is_markup()) return Value::text(a.text_bytes() + escape_html(b.text_bytes()), true);
    return Value::text(escape_html(a.text_bytes()) + b.text_bytes(), true);
}

Value repeated(Budget& budget, const Value& what, std::int64_t times) {
    const std::size_t count = times < 0 ? 0 : static_cast<std::size_t>(times);
    const auto size = what.is_text() ? what.text_bytes().size() : static_cast<std::size_t>(length_of(what)) * sizeof(Value);
    if (size && count > Budget::max_text / size) fail("repeating a value {} times exceeds the limit of {} bytes", times, Budget::max_text);
    budget.charge_bytes(size * count);
    if (what.is_text()) {
        std::string out;
        if (size)
            for (std::size_t i = 0; i < count; ++i) out += what.text_bytes();
        return Value::text(std::move(out), what.is_markup());
    }
    const std::vector<Value> once = iterate(budget, what);
    std::vector<Value> items;
    if (!once.empty())
        for (std::size_t i = 0; i < count; ++i) items.insert(items.end(), once.begin(), once.end());
    return what.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value concatenated(Budget& budget, const Value& a, const Value& b) {
    std::vector<Value> items = iterate(budget, a);
    std::vector<Value> more = iterate(budget, b);
    items.insert(items.end(), more.begin(), more.end());
    return a.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

}  // namespace

Value calculate(Budget& budget, Operator op, const Value& a, const Value& b) {
    if (a.is_undefined()) fail("{}", a.as<Undefined>()->message());
    if (op == Operator::modulo && a.is_text()) return percent_format(budget, a, b);
    if (b.is_undefined()) fail("{}", b.as<Undefined>()->message());
    if (a.is_integer() && b.is_integer()) return integers(op, a.integer(), b.integer());
    if (a.is_number() && b.is_number()) return floats(op, a.number(), b.number());
    if (op == Operator::add) {
        if (a.is_text() && b.is_text()) return joined(budget, a, b);
        if ((a.is_list() && b.is_list()) || (a.is_tuple() && b.is_tuple())) return concatenated(budget, a, b);
    }
    if (op == Operator::multiply) {
        const auto repeats = [](const Value& v) { return v.is_text() || v.is_list() || v.is_tuple(); };
        if (repeats(a) && b.is_integer()) return repeated(budget, a, b.integer());
        if (repeats(b) && a.is_integer()) return repeated(budget, b, a.integer());
    }
    refuse(op, a, b);
}

Value negated(const Value& value) {
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (const double* d = value.as<double>()) return Value::of(-*d);
    if (!value.is_integer()) fail("bad operand type for unary -: '{}'", value.type_name());
    if (value.integer() == INT64_MIN) fail("the integer result of - does not fit in 64 bits");
    return Value::of(-value.integer());
}

}  // namespace temper::jinja
