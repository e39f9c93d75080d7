// Tiles of float32 arrays for BLAS: whole ones in place, the last rows of an array completed with zeros, so that every product has the
// same shape and a row meets the same code in every call.
#pragma once
#include <algorithm>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/scratch.h"
#include "kernels/tensor.h"

namespace temper::cpu {

constexpr std::int64_t kTileRows = 64, kTileColumns = 384;

constexpr std::int64_t tiles_of(std::int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

// Tiles of a caller's (N, width) array to read, the last one completed with zeros.
class InputTiles {
  public:
    static std::size_t scratch(std::int64_t width) { return ScratchCuts::bytes<float>(kTileRows * width); }
    InputTiles(View source, ScratchCuts& cuts) : source_(source), width_(source.size(1)), last_(cuts.take<float>(kTileRows * width_)) {
        const std::int64_t n = source.size(0), whole = n / kTileRows * kTileRows;
        if (whole == n) return;
        for (std::int64_t row = whole; row < n; ++row)
            std::memcpy(last_ + (row - whole) * width_, source.row<float>(row), static_cast<std::size_t>(width_) * sizeof(float));
        std::memset(last_ + (n - whole) * width_, 0, static_cast<std::size_t>((whole + kTileRows - n) * width_) * sizeof(float));
    }
    Matrix at(std::int64_t tile) const {
        if ((tile + 1) * kTileRows <= source_.size(0)) return {source_.row<float>(tile * kTileRows), source_.row_stride()};
        return {last_, width_};
    }

  private:
    View source_;
    std::int64_t width_;
    float* last_;
};

// A tile of a caller's array to write: in place when it is whole, else in the thread's scratch, of which the real rows are copied.
struct OutputTile {
    float* data;
    std::int64_t stride, rows;
    float* target;
    std::int64_t target_stride;

    OutputTile(View to, std::int64_t tile, std::int64_t column, float* scratch) {
        const std::int64_t first = tile * kTileRows;
        rows = std::min(kTileRows, to.size(0) - first);
        target = to.row<float>(first) + column;
        target_stride = to.row_stride();
        data = rows == kTileRows ? target : scratch;
        stride = rows == kTileRows ? target_stride : kTileColumns;
    }
    void write_back(std::int64_t columns) const {
        if (data == target) return;
        for (std::int64_t r = 0; r < rows; ++r)
            std::memcpy(target + r * target_stride, data + r * stride, static_cast<std::size_t>(columns) * sizeof(float));
    }
};

// A tile of x under the masks of one module; factors: working memory for a row.
inline Matrix drop_tile(Isa isa, float* to, float* factors, View x, std::int64_t tile, const Dropout& dropout, std::int64_t module) {
    const std::int64_t width = x.size(1), first = tile * kTileRows;
    for (std::int64_t r = 0; r < kTileRows; ++r) {
        if (first + r < x.size(0)) drop_row(isa, to + r * width, x.row<float>(first + r), factors, width, mask_row(dropout, first + r, module));
        else std::memset(to + r * width, 0, static_cast<std::size_t>(width) * sizeof(float));
    }
    return {to, width};
}

inline Matrix offset(Matrix matrix, std::int64_t elements) { return {matrix.data + elements, matrix.stride, matrix.transposed}; }

}  // namespace temper::cpu
