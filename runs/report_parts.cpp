#include "runs/report_parts.h"

#include <algorithm>

#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/svg_chart.h"

namespace temper {
namespace {

std::string grouped(std::int64_t value) {
    std::string digits = std::to_string(value);
    for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
        digits.insert(static_cast<std::size_t>(at), "\u202f");
    return digits;
}

}  // namespace

std::string plain_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return grouped(value.get<std::int64_t>());
    if (value.is_number()) return compact_number(value.get<double>());
    if (value.is_null()) return "\u2013";
    return json_text(value);
}

std::string duration_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::min(std::max(seconds, 0.0), 1e12));
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace temper
