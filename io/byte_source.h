// The bytes of a file in order, unpacked as they are read: .gz and .zst by their names, anything else as it is.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>

namespace temper {

class ByteSource {
  public:
    virtual ~ByteSource() = default;
    // Up to `count` bytes; 0 at the end. bad_data with the place in the file when packed bytes are damaged or end early.
    virtual std::size_t read(char* destination, std::size_t count) = 0;
};

// missing_input when there is no such file or it is a directory.
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path);
// "rows.jsonl" of "rows.jsonl.gz".
std::filesystem::path unpacked_name(const std::filesystem::path& path);

}  // namespace temper
