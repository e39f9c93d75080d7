// Vectors and the ids of their rows as one file: HDF5 that h5py opens, or .npy with the ids beside it. No date or path is in it: the same rows
// give the same bytes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

enum class VectorType : std::uint8_t { float32, float16 };
constexpr std::int64_t size_of(VectorType type) { return type == VectorType::float32 ? 4 : 2; }

struct VectorFileSettings {
    std::int64_t rows = 0, dimensions = 0;
    VectorType type = VectorType::float32;
    std::vector<std::pair<std::string, std::string>> texts;      // attributes
    std::vector<std::pair<std::string, std::int64_t>> integers;  // attributes
};

class VectorFile {
  public:
    virtual ~VectorFile() = default;
    // The next rows: vectors (rows, dimensions) of the file's type, and one id a row.
    virtual void append(std::string_view vectors, const std::vector<std::string>& ids) = 0;
    virtual void commit() = 0;  // whole and durable under its name
};

// /embeddings (rows, dimensions), /ids (rows) UTF-8, and the attributes on the root.
std::unique_ptr<VectorFile> create_hdf5_vectors(const std::filesystem::path& path, const VectorFileSettings& settings);
// PATH, and PATH.ids.jsonl with one JSON text a row.
std::unique_ptr<VectorFile> create_npy_vectors(const std::filesystem::path& path, const VectorFileSettings& settings);

}  // namespace temper
