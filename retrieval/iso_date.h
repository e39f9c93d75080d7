// Dates as ISO 8601 writes them: 2024, 2024-05, 2024-05-01, 2024-05-01T12:30, with seconds, a fraction, Z or +02:00; a space may stand for the T.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace temper {

struct IsoDate {
    std::array<std::int64_t, 6> parts{0, 1, 1, 0, 0, 0};  // year, month, day, hour, minute, second; UTC where an offset was given
    int given = 0;                                        // how many of them the text wrote
};

// Nothing where the text is not a date from end to end.
std::optional<IsoDate> parse_iso_date(std::string_view text);
// -1, 0, 1: `date` against `bound`, as far as the bound writes it. 2024-05-17 is equal to 2024-05.
int compare_to(const IsoDate& date, const IsoDate& bound);

}  // namespace temper
