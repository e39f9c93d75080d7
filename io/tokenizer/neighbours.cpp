#include "io/tokenizer/neighbours.h"

#include <algorithm>
#include <bit>

#include "io/unicode.h"

namespace temper::tok {

void Neighbours::add(std::string_view token) {
    if (token.empty()) return;
    char32_t left = decode_character(token, 0);
    for (std::size_t at = character_size(token[0]); at < token.size(); at += character_size(token[at])) {
        const char32_t right = decode_character(token, at);
        if ((left | right) < 128) ascii_[left * 2 + right / 64] |= std::uint64_t(1) << right % 64;
        else pairs_.push_back(static_cast<std::uint64_t>(left) << 32 | right);
        left = right;
    }
}

void Neighbours::add_alone(char32_t c) {
    if (c < plane) alone_[c] = true;
}

void Neighbours::build() {
    std::sort(pairs_.begin(), pairs_.end());
    pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
    const std::size_t bits = std::bit_ceil(std::max(pairs_.size() * 16, std::size_t(128)));
    others_.assign(bits / 64, 0);
    shift_ = 64 - std::countr_zero(bits);
    for (const std::uint64_t pair : pairs_) {
        const std::size_t at = place(static_cast<char32_t>(pair >> 32), static_cast<char32_t>(pair));
        others_[at / 64] |= std::uint64_t(1) << at % 64;
    }
    pairs_ = {};
    for (char32_t c = 0; c < 128; ++c) {
        if (alone(c)) continue;
        for (char32_t other = 0; other < 128; ++other) {
            ascii_[c * 2 + other / 64] |= std::uint64_t(1) << other % 64;
            ascii_[other * 2 + c / 64] |= std::uint64_t(1) << c % 64;
        }
    }
}

std::size_t Neighbours::word_end(std::string_view text, std::size_t at) const {
    while (true) {  // `at` is where the last character of the word so far begins
        for (; at + 1 < text.size(); ++at) {
            const auto left = static_cast<unsigned char>(text[at]), right = static_cast<unsigned char>(text[at + 1]);
            if ((left | right) >= 128) break;
            if (!together_in_ascii(left, right)) return at + 1;
        }
        const std::size_t next = at + character_size(text[at]);
        if (next >= text.size()) return text.size();
        if (!together(decode_character(text, at), decode_character(text, next))) return next;
        at = next;
    }
}

}  // namespace temper::tok
