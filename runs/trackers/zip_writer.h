// A zip archive written front to back: deflated entries whose sizes follow their data. Entries and archive stay below 4 GiB.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/durable.h"

namespace temper {

class ZipWriter {
  public:
    explicit ZipWriter(Sink out) : out_(std::move(out)) {}
    // io_error when it grows beyond 4 GiB.
    void add(const std::string& name, const Producer& produce);
    void add(const std::string& name, std::string_view bytes);
    void finish();

  private:
    struct Entry {
        std::string name;
        std::uint32_t crc = 0;
        std::uint64_t packed = 0, size = 0, offset = 0;
    };
    void write(std::string_view bytes);

    Sink out_;
    std::uint64_t length_ = 0;
    std::vector<Entry> entries_;
};

}  // namespace temper
