// Dates as ISO 8601 writes them: 2024, 2024-05, 2024-05-01, 2024-05-01T12:30, with seconds, a fraction, Z, +02:00, +0200 or +02; a space may stand for
// the T and before the offset.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
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
// "Mon, 01 Jan 2024 00:00:00 GMT", as HTTP writes dates, as 2024-01-01T00:00:00Z; any other text as it is.
std::string iso_of_http_date(const std::string& text);

}  // namespace temper
