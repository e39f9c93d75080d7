// Which characters the tokens of a vocabulary hold side by side. Between two that no token holds so, no token reaches over, and what stands
// before and behind can be made into tokens apart.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace temper::tok {

class Neighbours {
  public:
    void add(std::string_view token);
    // A character that has no token of its own may be one unknown token with what stands beside it: it is never parted from that.
    void add_alone(char32_t c);
    void all_alone() { every_character_ = true; }
    // To be called after the last add.
    void build();

    // May say yes of two that no token holds, never no of two that one does.
    bool together(char32_t left, char32_t right) const {
        if ((left | right) < 128) return together_in_ascii(left, right);
        return !alone(left) || !alone(right) || others_[place(left, right) / 64] >> place(left, right) % 64 & 1;
    }
    // Where the word that begins at `at` ends; the text is valid UTF-8.
    std::size_t word_end(std::string_view text, std::size_t at) const;

  private:
    static constexpr std::size_t plane = 0x10000;
    bool together_in_ascii(char32_t left, char32_t right) const { return ascii_[left * 2 + right / 64] >> right % 64 & 1; }
    bool alone(char32_t c) const { return every_character_ || (c < plane && alone_[c]); }
    std::size_t place(char32_t left, char32_t right) const {
        return static_cast<std::size_t>((static_cast<std::uint64_t>(left) << 32 | right) * 0x9e3779b97f4a7c15u >> shift_);
    }

    std::array<std::uint64_t, 256> ascii_{};                      // a bit a pair, of characters below 128
    std::vector<std::uint64_t> pairs_;                            // of the others, until they are built
    std::vector<std::uint64_t> others_ = {~std::uint64_t(0), 0};  // a bit a hash
    int shift_ = 63;
    std::vector<bool> alone_ = std::vector<bool>(plane);
    bool every_character_ = false;
};

}  // namespace temper::tok
