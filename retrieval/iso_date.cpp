#include "retrieval/iso_date.h"

#include <cctype>
#include <chrono>

#include <fmt/format.h>

namespace temper {
namespace {

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}
    bool ended() const { return at_ == text_.size(); }
    bool skip(std::string_view any_of) {
        if (ended() || any_of.find(text_[at_]) == std::string_view::npos) return false;
        ++at_;
        return true;
    }
    // Exactly so many digits, of a number in [low, high].
    std::optional<std::int64_t> number(int digits, std::int64_t low, std::int64_t high) {
        std::int64_t value = 0;
        for (int i = 0; i < digits; ++i, ++at_) {
            if (ended() || std::isdigit(static_cast<unsigned char>(text_[at_])) == 0) return {};
            value = value * 10 + (text_[at_] - '0');
        }
        if (value < low || value > high) return {};
        return value;
    }
    void digits() {
        while (!ended() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    }
    char last() const { return text_[at_ - 1]; }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

void shift(IsoDate& date, std::int64_t minutes) {
    namespace c = std::chrono;
    const c::year_month_day day(c::year(static_cast<int>(date.parts[0])), c::month(static_cast<unsigned>(date.parts[1])),
                                c::day(static_cast<unsigned>(date.parts[2])));
    const c::sys_time<c::minutes> moment = c::sys_days(day) + c::minutes(date.parts[3] * 60 + date.parts[4] - minutes);
    const auto midnight = c::floor<c::days>(moment);
    const c::year_month_day shifted(midnight);
    const auto rest = (moment - midnight).count();
    date.parts = {static_cast<int>(shifted.year()),
                  static_cast<unsigned>(shifted.month()),
                  static_cast<unsigned>(shifted.day()),
                  rest / 60,
                  rest % 60,
                  date.parts[5]};
}

}  // namespace

std::optional<IsoDate> parse_iso_date(std::string_view text) {
    IsoDate date;
    Reader reader(text);
    constexpr struct {
        int digits;
        std::int64_t low, high;
        std::string_view before;
    } forms[] = {{4, 0, 9999, ""}, {2, 1, 12, "-"}, {2, 1, 31, "-"}, {2, 0, 23, "Tt "}, {2, 0, 59, ":"}, {2, 0, 60, ":"}};
    for (std::size_t part = 0; part < 6; ++part) {
        if (part > 0 && !reader.skip(forms[part].before)) break;
        const auto value = reader.number(forms[part].digits, forms[part].low, forms[part].high);
        if (!value) return {};
        date.parts[part] = *value;
        date.given = static_cast<int>(part) + 1;
    }
    if (date.given == 4) return {};  // an hour without minutes
    if (date.given == 6 && reader.skip(".,")) reader.digits();
    const bool blank = date.given >= 5 && reader.skip(" ");
    if (date.given >= 5 && reader.skip("+-")) {
        const int sign = reader.last() == '-' ? -1 : 1;
        const auto hours = reader.number(2, 0, 23);
        const bool more = reader.skip(":") || !reader.ended();
        const auto minutes = hours && more ? reader.number(2, 0, 59) : std::optional<std::int64_t>(0);
        if (!hours || !minutes) return {};
        shift(date, sign * (*hours * 60 + *minutes));
    } else if (date.given >= 5 && !reader.skip("Zz") && blank) {
        return {};
    }
    if (!reader.ended()) return {};
    return date;
}

int compare_to(const IsoDate& date, const IsoDate& bound) {
    for (int part = 0; part < bound.given; ++part) {
        const auto at = static_cast<std::size_t>(part);
        if (date.parts[at] != bound.parts[at]) return date.parts[at] < bound.parts[at] ? -1 : 1;
    }
    return 0;
}

std::string iso_of_http_date(const std::string& text) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text.substr(25) != " GMT") return text;
    const std::size_t month = months.find(text.substr(8, 3));
    if (month == std::string_view::npos || month % 3 != 0) return text;
    const std::string iso = fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1, text.substr(5, 2), text.substr(17, 8));
    return text[16] == ' ' && parse_iso_date(iso) ? iso : text;
}

}  // namespace temper
