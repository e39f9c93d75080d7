// Which algorithm a matrix product takes. Algorithms sum in different orders, so a choice is part of the numbers: it is made once a shape, by timing,
// never for a number of rows, and is kept, so that a resumed run and every rank compute what the first one did.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cuda {

struct ProductKey {
    DType dtype = DType::f32, out = DType::f32;
    bool a_transposed = false, b_transposed = false, has_c = false, has_bias = false;
    std::int64_t columns = 0, depth = 0;

    auto fields() const { return std::tuple(dtype, out, a_transposed, b_transposed, has_c, has_bias, columns, depth); }
    bool operator<(const ProductKey& other) const { return fields() < other.fields(); }
    bool operator==(const ProductKey& other) const { return fields() == other.fields(); }
};

struct Product;
ProductKey key_of(const Product& product);

class AlgorithmTable {
  public:
    using Algorithm = std::array<std::uint64_t, 8>;  // cublasLtMatmulAlgo_t, good for one version of the library on one kind of device

    AlgorithmTable(std::string library, std::string device) : library_(std::move(library)), device_(std::move(device)) {}

    const Algorithm* find(const ProductKey& key) const;
    void keep(const ProductKey& key, const Algorithm& algorithm) { entries_[key] = algorithm; }
    std::size_t size() const { return entries_.size(); }
    const std::string& library() const { return library_; }
    const std::string& device() const { return device_; }

    std::string to_bytes() const;
    // Takes over what another table has written, over its own choices: true; false, and nothing is taken, where that was of another library or device.
    // bad_data Error when the bytes are none of a table.
    bool take_bytes(const std::string& bytes);

  private:
    std::string library_, device_;
    std::map<ProductKey, Algorithm> entries_;
};

// Of the products of a stream.
AlgorithmTable& algorithms(Stream& stream);
inline std::string export_algorithms(Stream& stream) { return algorithms(stream).to_bytes(); }
inline bool import_algorithms(Stream& stream, const std::string& bytes) { return algorithms(stream).take_bytes(bytes); }

}  // namespace temper::cuda
