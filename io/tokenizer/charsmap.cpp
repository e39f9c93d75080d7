#include "io/tokenizer/charsmap.h"

#include <cstring>

#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper::tok {

Charsmap::Charsmap(std::string_view bytes, const std::string& place) : place_(place) {
    const auto word = [&](std::size_t at) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << 8 * i;
        return value;
    };
    if (bytes.size() < 4) throw_error(ExitCode::bad_data, "{}: {} bytes, expected at least 4", place, bytes.size());
    const std::uint32_t size = word(0);
    if (size % 4 != 0 || size > bytes.size() - 4 || size == 0)
        throw_error(ExitCode::bad_data, "{}: an array of {} bytes in a charsmap of {}", place, size, bytes.size());
    for (std::size_t at = 4; at < 4 + std::size_t(size); at += 4) units_.push_back(word(at));
    replacements_ = bytes.substr(4 + std::size_t(size));
    if (const std::size_t bad = find_invalid_utf8(replacements_); bad != std::string::npos)
        throw_error(ExitCode::bad_data, "{}: byte {} of the replacements is not valid UTF-8", place, bad);
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
    const auto offset = [](std::uint32_t unit) { return static_cast<std::size_t>(unit >> 10) << ((unit & (1u << 9)) >> 6); };
    std::size_t node = offset(units_[0]);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        node ^= byte;
        if (byte == 0 || node >= units_.size() || (units_[node] & 0x800000ffu) != byte) return std::nullopt;
        const std::uint32_t unit = units_[node];
        node ^= offset(unit);
        if (!(unit >> 8 & 1)) continue;
        const std::size_t at = node < units_.size() ? units_[node] & 0x7fffffffu : replacements_.size() + 1;
        const bool inside = at < replacements_.size() && (static_cast<unsigned char>(replacements_[at]) & 0xc0) != 0x80;
        if (!inside) throw_error(ExitCode::bad_data, "{}: an entry names byte {} of {} bytes of replacements", place_, at, replacements_.size());
        return std::string_view(replacements_.c_str() + at);
    }
    return std::nullopt;
}

}  // namespace temper::tok
