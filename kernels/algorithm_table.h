// Which algorithm each matrix product of a CUDA device takes. Algorithms sum in different orders, so a choice is part of the numbers: it is made once
// a shape, by trial, never for a number of rows, and is kept (a cache, a checkpoint), so that a resumed run and every rank compute what the first one
// did. The table is plain data, in a build without CUDA as well.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/tensor.h"

namespace temper::cuda {

struct ProductKey {
    DType dtype = DType::f32, out = DType::f32;
    bool a_transposed = false, b_transposed = false, has_c = false, has_bias = false;
    std::int64_t columns = 0, depth = 0;  // depth 0: a number of rows

    auto fields() const { return std::tuple(dtype, out, a_transposed, b_transposed, has_c, has_bias, columns, depth); }
    bool operator<(const ProductKey& other) const { return fields() < other.fields(); }
    bool operator==(const ProductKey& other) const { return fields() == other.fields(); }
};

class AlgorithmTable {
  public:
    using Algorithm = std::array<std::uint64_t, 8>;  // cublasLtMatmulAlgo_t, good for one version of the library on one kind of device

    AlgorithmTable(std::string library, std::string device) : library_(std::move(library)), device_(std::move(device)) {}
    // bad_data Error when the bytes are none of a table, or damaged.
    static AlgorithmTable from_bytes(std::string_view bytes);
    std::string to_bytes() const;

    const Algorithm* find(const ProductKey& key) const;
    void keep(const ProductKey& key, const Algorithm& algorithm) { entries_[key] = algorithm; }
    std::size_t size() const { return entries_.size(); }
    const std::string& library() const { return library_; }
    const std::string& device() const { return device_; }
    std::string describe() const { return library_ + " on " + device_; }

    // Whether another's choices are good here.
    bool is_like(const AlgorithmTable& other) const { return library_ == other.library_ && device_ == other.device_; }
    // What is missing here, from a table that is like this one.
    void add(const AlgorithmTable& other) { entries_.insert(other.entries_.begin(), other.entries_.end()); }
    // The choices of these products alone.
    AlgorithmTable only(const std::vector<ProductKey>& keys) const;

  private:
    std::string library_, device_;
    std::map<ProductKey, Algorithm> entries_;
};

}  // namespace temper::cuda
