// One HDF5 file of columns with attributes, whole or absent, and sealed: its first 512 bytes, which HDF5 leaves to the user ("user block"), hold
// the SHA-256 of all that follows. The library's own parser meets only bytes that we wrote; h5py and h5dump open the file as any other.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/span.h"

namespace temper {

// The same calls give the same bytes. io_error names the file and what was written; the file appears with commit().
class Hdf5TableWriter {
  public:
    explicit Hdf5TableWriter(std::filesystem::path target);
    ~Hdf5TableWriter();  // uncommitted: removes what it wrote
    Hdf5TableWriter(const Hdf5TableWriter&) = delete;
    Hdf5TableWriter& operator=(const Hdf5TableWriter&) = delete;

    void attribute(const std::string& name, const std::string& text);
    void attribute(const std::string& name, std::int64_t value);
    void floats(const std::string& name, Span<const float> values, std::int64_t rows, std::int64_t columns);  // (rows, columns) f32
    void integers(const std::string& name, const std::vector<std::int64_t>& values);
    void bytes(const std::string& name, const std::string& values);  // uint8
    // UTF-8 of any length. A text with a NUL byte, which HDF5 would cut, is bad_data.
    void texts(const std::string& name, std::int64_t count, const std::function<const std::string&(std::int64_t)>& text_of);
    void commit();

  private:
    struct File;
    std::filesystem::path target_, staged_;
    std::unique_ptr<File> file_;
};

// missing_input; bad_data names the file and the dataset or attribute: what was found, what was expected.
class Hdf5TableReader {
  public:
    explicit Hdf5TableReader(std::filesystem::path path);  // checks the seal
    ~Hdf5TableReader();
    Hdf5TableReader(const Hdf5TableReader&) = delete;
    Hdf5TableReader& operator=(const Hdf5TableReader&) = delete;

    std::string text_attribute(const std::string& name) const;
    std::int64_t integer_attribute(const std::string& name) const;
    bool has(const std::string& name) const;           // a dataset
    std::int64_t rows(const std::string& name) const;  // of a dataset
    std::vector<float> floats(const std::string& name, std::int64_t rows, std::int64_t columns) const;
    std::vector<std::int64_t> integers(const std::string& name, std::int64_t count) const;
    std::string bytes(const std::string& name) const;
    void texts(const std::string& name, std::int64_t count, const std::function<void(std::int64_t, std::string)>& take) const;
    [[noreturn]] void fail(const std::string& what) const;  // bad_data with the file's name before it

  private:
    struct File;
    std::filesystem::path path_;
    std::unique_ptr<File> file_;
};

}  // namespace temper
