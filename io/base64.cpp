#include "io/base64.h"

#include <algorithm>
#include <cstdint>

#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t size = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < size ? static_cast<unsigned char>(bytes[at + i]) : 0u);
        for (std::size_t i = 0; i < 4; ++i) text += i <= size ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
    }
    return text;
}

std::string decode_base64(std::string_view text, const std::string& place) {
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    int held = 0;
    const std::size_t digits = text.find_last_not_of('=') + 1;
    for (std::size_t i = 0; i < digits; ++i) {
        const std::size_t value = alphabet.find(text[i]);
        if (value == std::string_view::npos) throw_error(ExitCode::bad_data, "{}: character {} is not one of base64", place, i);
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes.push_back(static_cast<char>(static_cast<unsigned char>(bits >> held)));
    }
    if (text.size() % 4 != 0 || text.size() - digits > 2)
        throw_error(ExitCode::bad_data, "{}: {} characters of base64 and {} of padding, expected groups of four", place, digits,
                    text.size() - digits);
    if ((bits & ((1u << held) - 1)) != 0) throw_error(ExitCode::bad_data, "{}: the last character of base64 has bits of no byte", place);
    return bytes;
}

}  // namespace temper
