// Arithmetic on lengths that foreign bytes state, and a cursor over such bytes. A check behind an overflow is no check: every sum and
// product of stated lengths goes through here.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace temper {

inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    std::uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
    return sum;
}

inline std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
    return product;
}

inline std::optional<std::uint64_t> round_up(std::uint64_t value, std::uint64_t multiple) {
    const std::uint64_t rest = value % multiple;
    return rest == 0 ? value : checked_add(value, multiple - rest);
}

// Little-endian numbers and pieces of bytes, one behind the other. What does not fit is nullopt, and the cursor stays.
class Cursor {
  public:
    explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
    std::size_t position() const { return position_; }
    std::size_t left() const { return bytes_.size() - position_; }

    template <class T> std::optional<T> number() {
        if (left() < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + position_, sizeof value);
        position_ += sizeof value;
        return value;
    }
    std::optional<std::string_view> piece(std::uint64_t count) {
        if (left() < count) return std::nullopt;
        const std::string_view result = bytes_.substr(position_, static_cast<std::size_t>(count));
        position_ += result.size();
        return result;
    }

  private:
    std::string_view bytes_;
    std::size_t position_ = 0;
};

}  // namespace temper
