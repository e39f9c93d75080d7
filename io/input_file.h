// A regular file open for reading at any place. Reads are by pread: thread-safe, and a file that shrinks under us is an Error, not a
// signal as it would be with mmap.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace temper {

class InputFile {
  public:
    // missing_input when there is no such file or it is a directory; io_error when it cannot be opened.
    explicit InputFile(const std::filesystem::path& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    std::uint64_t size() const { return size_; }  // when it was opened
    const std::filesystem::path& path() const { return path_; }
    // All count bytes, or io_error.
    void read_at(std::uint64_t offset, void* destination, std::size_t count) const;
    std::string read_at(std::uint64_t offset, std::size_t count) const;

  private:
    std::filesystem::path path_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace temper
