// Tables of a FlatBuffers message, every offset checked before it is followed. Offsets to tables and vectors only ever lead forward,
// so that no message can make a reader go round. Internal to io/.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "io/checked.h"
#include "kernels/error.h"

namespace temper {

struct FlatMessage {
    std::string_view bytes;
    const std::string& place;  // opens error messages

    [[noreturn]] void fail(const char* what) const { throw_error(ExitCode::bad_data, "{}: damaged metadata: {}", place, what); }
    template <class T> T at(std::uint64_t position) const {
        const auto end = checked_add(position, sizeof(T));
        if (!end || *end > bytes.size()) fail("an offset leads outside of it");
        T value;
        std::memcpy(&value, bytes.data() + position, sizeof value);
        return value;
    }
};

class FlatTable {
  public:
    FlatTable(const FlatMessage& message, std::uint64_t position) : message_(&message), position_(position) {
        const std::int64_t vtable = static_cast<std::int64_t>(position) - message.at<std::int32_t>(position);
        if (vtable < 0) message.fail("a table begins outside of it");
        vtable_ = static_cast<std::uint64_t>(vtable);
        vtable_size_ = message.at<std::uint16_t>(vtable_);
    }
    // The table that a message begins with.
    static FlatTable root(const FlatMessage& message) { return {message, message.at<std::uint32_t>(0)}; }

    template <class T> T number(int slot, T absent) const {
        const std::uint64_t where = field(slot);
        return where == 0 ? absent : message_->at<T>(where);
    }
    std::optional<FlatTable> table(int slot) const {
        const std::uint64_t where = field(slot);
        if (where == 0) return std::nullopt;
        return FlatTable(*message_, follow(where));
    }
    std::string_view text(int slot) const {
        const Vector bytes = vector(slot, 1);
        return message_->bytes.substr(bytes.begin, bytes.size);
    }

    struct Vector {
        std::uint64_t begin = 0, size = 0;  // of the first element, and how many
    };
    Vector vector(int slot, std::uint64_t element_size) const {
        const std::uint64_t where = field(slot);
        if (where == 0) return {};
        const std::uint64_t at = follow(where), size = message_->at<std::uint32_t>(at);
        const auto bytes = checked_multiply(size, element_size);
        if (!bytes || *bytes > message_->bytes.size() - (at + 4)) message_->fail("a vector is longer than the rest of it");
        return {at + 4, size};
    }
    FlatTable element(const Vector& tables, std::uint64_t index) const { return {*message_, follow(tables.begin + 4 * index)}; }
    const FlatMessage& message() const { return *message_; }

  private:
    // Where a field's bytes are; 0 when the table does not hold it.
    std::uint64_t field(int slot) const {
        const std::uint64_t entry = 4 + 2 * static_cast<std::uint64_t>(slot);
        if (entry + 2 > vtable_size_) return 0;
        const std::uint16_t offset = message_->at<std::uint16_t>(vtable_ + entry);
        return offset == 0 ? 0 : position_ + offset;
    }
    std::uint64_t follow(std::uint64_t where) const { return where + message_->at<std::uint32_t>(where); }

    const FlatMessage* message_;
    std::uint64_t position_, vtable_ = 0, vtable_size_ = 0;
};

}  // namespace temper
