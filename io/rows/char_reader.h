// Single bytes of a text, with the line they stand on, for readers whose rows are not lines. Internal to io/.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "io/byte_source.h"

namespace temper {

class CharReader {
  public:
    explicit CharReader(const std::filesystem::path& path) : source_(open_bytes(path)) {
        for (const char expected : {'\xEF', '\xBB', '\xBF'}) {  // a BOM is skipped
            if (peek() != static_cast<unsigned char>(expected)) break;
            ++used_;
        }
    }

    static constexpr int end = -1;
    int peek() { return used_ == size_ && !fill() ? end : static_cast<unsigned char>(buffer_[used_]); }
    int get() {
        const int c = peek();
        if (c == end) return end;
        ++used_;
        if (c == '\n') ++line_;
        return c;
    }
    std::int64_t line() const { return line_; }  // of the next byte, from 1

  private:
    bool fill() {
        used_ = size_ = 0;  // a failed read leaves nothing to go on with
        size_ = source_->read(buffer_.data(), buffer_.size());
        return size_ > 0;
    }

    std::unique_ptr<ByteSource> source_;
    std::string buffer_ = std::string(std::size_t(1) << 16, '\0');
    std::size_t used_ = 0, size_ = 0;
    std::int64_t line_ = 1;
};

}  // namespace temper
