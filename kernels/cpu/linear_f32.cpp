// The float32 linear layer. Every product is a tile of kTileRows rows and fixed columns, whatever the number of rows and threads, so
// that a row meets the same BLAS code in every call; the last rows of an array are padded with zeros to a whole tile.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"

namespace temper::cpu {
namespace {

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

Matrix offset(Matrix matrix, std::int64_t elements) { return {matrix.data + elements, matrix.stride, matrix.transposed}; }

void add_to_rows(const OutputTile& tile, const float* bias, View residual, std::int64_t first_row, std::int64_t column, std::int64_t columns) {
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        float* const out = tile.data + r * tile.stride;
        const float* const stream = residual.empty() ? nullptr : residual.row<float>(first_row + r) + column;
        for (std::int64_t c = 0; c < columns; ++c) {
            float value = out[c];
            if (bias != nullptr) value += bias[column + c];
            if (stream != nullptr) value += stream[c];
            out[c] = value;
        }
    }
}

// The residual may be the output itself, which BLAS overwrites: then a product is made beside it.
bool overlaps(View a, View b) { return !a.empty() && a.data == b.data; }

}  // namespace

void linear_f32(Stream& stream, View y, View x, const PreparedLinear::Impl& w, View s, const Epilogue& epilogue) {
    const std::int64_t n = x.size(0), tiles = tiles_of(n), column_tiles = (w.out + kTileColumns - 1) / kTileColumns;
    const View residual = epilogue.kind == Epilogue::Kind::residual ? epilogue.residual : View();
    const bool beside = overlaps(residual, y), adapted = !w.adapters.empty();
    const std::int64_t s_count = adapted ? tiles * kTileRows * w.rank_total : 0, tile_count = stream.threads() * kTileRows * kTileColumns;
    ScratchCuts cuts(stream, InputTiles::scratch(w.in) + ScratchCuts::bytes<float>(s_count) + ScratchCuts::bytes<float>(tile_count));
    const InputTiles inputs(x, cuts);
    float* const all_s = cuts.take<float>(s_count);
    float* const outputs = cuts.take<float>(tile_count);

    if (adapted)
        parallel_for(stream, tiles, [&](std::int64_t tile) {
            float* const tile_s = all_s + tile * kTileRows * w.rank_total;
            for (std::size_t i = 0; i < w.adapters.size(); ++i)
                multiply(tile_s + w.rank_begin[i], w.rank_total, inputs.at(tile), {w.a_f32 + w.rank_begin[i] * w.in, w.in, true}, kTileRows,
                         w.adapters[i].rank, w.in, w.adapters[i].scale, 0.0f);
            if (s.empty()) return;
            for (std::int64_t row = tile * kTileRows; row < std::min(n, (tile + 1) * kTileRows); ++row)
                std::memcpy(s.row<float>(row), all_s + row * w.rank_total, static_cast<std::size_t>(w.rank_total) * sizeof(float));
        });
    parallel_for(stream, tiles * column_tiles, [&](std::int64_t item, int thread) {
        const std::int64_t tile = item / column_tiles, first = item % column_tiles * kTileColumns;
        const std::int64_t columns = std::min(kTileColumns, w.out - first);
        OutputTile out(y, tile, first, outputs + thread * kTileRows * kTileColumns);
        if (beside) {
            out.data = outputs + thread * kTileRows * kTileColumns;
            out.stride = kTileColumns;
        }
        multiply(out.data, out.stride, inputs.at(tile), {w.weight_f32 + first * w.in, w.in, true}, kTileRows, columns, w.in, 1.0f, 0.0f);
        for (std::size_t i = 0; i < w.adapters.size(); ++i) {
            const AdapterSlot& slot = w.adapters[i];
            const std::int64_t begin = std::max(first, slot.out_begin), end = std::min(first + columns, slot.out_begin + slot.out_size);
            if (begin >= end) continue;
            multiply(out.data + begin - first, out.stride, {all_s + tile * kTileRows * w.rank_total + w.rank_begin[i], w.rank_total},
                     {w.b_f32[i] + (begin - slot.out_begin) * slot.rank, slot.rank, true}, kTileRows, end - begin, slot.rank, 1.0f, 1.0f);
        }
        if (w.bias != nullptr || !residual.empty()) add_to_rows(out, w.bias, residual, tile * kTileRows, first, columns);
        out.write_back(columns);
    });
    parallel_for(stream, tiles, [&](std::int64_t tile) {
        finish_rows(stream.isa(), y, epilogue, {tile * kTileRows, std::min(n, (tile + 1) * kTileRows)});
    });
}

void linear_backward_f32(Stream& stream, View d_x, View d_adapter, View d_y, const PreparedLinear::Impl& w, View x, View s, Span<const Leaf> leaves) {
    const std::int64_t n = d_y.size(0), tiles = tiles_of(n), column_tiles = (w.in + kTileColumns - 1) / kTileColumns;
    const std::int64_t s_count = tiles * kTileRows * w.rank_total, tile_count = stream.threads() * kTileRows * kTileColumns;
    ScratchCuts cuts(stream, InputTiles::scratch(w.out) + ScratchCuts::bytes<float>(s_count) + ScratchCuts::bytes<float>(tile_count));
    const InputTiles gradients(d_y, cuts);
    float* const d_s = cuts.take<float>(s_count);
    float* const outputs = cuts.take<float>(tile_count);

    const std::int64_t slots = static_cast<std::int64_t>(w.adapters.size());
    if (slots > 0)
        parallel_for(stream, tiles, [&](std::int64_t tile) {
            for (std::size_t i = 0; i < w.adapters.size(); ++i) {
                const AdapterSlot& slot = w.adapters[i];
                multiply(d_s + tile * kTileRows * w.rank_total + w.rank_begin[i], w.rank_total, offset(gradients.at(tile), slot.out_begin),
                         {w.b_f32[i], slot.rank}, kTileRows, slot.rank, slot.out_size, slot.scale, 0.0f);
            }
        });
    if (!d_x.empty())
        parallel_for(stream, tiles * column_tiles, [&](std::int64_t item, int thread) {
            const std::int64_t tile = item / column_tiles, first = item % column_tiles * kTileColumns;
            const std::int64_t columns = std::min(kTileColumns, w.in - first);
            const OutputTile out(d_x, tile, first, outputs + thread * kTileRows * kTileColumns);
            multiply(out.data, out.stride, gradients.at(tile), {w.weight_f32 + first, w.in}, kTileRows, columns, w.out, 1.0f, 0.0f);
            if (slots > 0)
                multiply(out.data, out.stride, {d_s + tile * kTileRows * w.rank_total, w.rank_total}, {w.a_f32 + first, w.in}, kTileRows, columns,
                         w.rank_total, 1.0f, 1.0f);
            out.write_back(columns);
        });
    // A leaf's sums are two products whose depth is the leaf's length: they know nothing of where it lies.
    parallel_for(stream, static_cast<std::int64_t>(leaves.size()) * slots * 2, [&](std::int64_t item) {
        const std::int64_t leaf_index = item / (slots * 2);
        const Leaf& leaf = leaves[static_cast<std::size_t>(leaf_index)];
        const std::size_t i = static_cast<std::size_t>(item / 2 % slots);
        const AdapterSlot& slot = w.adapters[i];
        float* const out = d_adapter.row<float>(leaf_index);
        if (item % 2 == 0)  // d_A = d_s^T x
            multiply(out + slot.offset_a, w.in, {d_s + leaf.begin * w.rank_total + w.rank_begin[i], w.rank_total, true},
                     {x.row<float>(leaf.begin), x.row_stride()}, slot.rank, w.in, leaf.length, 1.0f, 0.0f);
        else  // d_B = d_y^T s
            multiply(out + slot.offset_b, slot.rank, {d_y.row<float>(leaf.begin) + slot.out_begin, d_y.row_stride(), true},
                     {s.row<float>(leaf.begin) + w.rank_begin[i], s.row_stride()}, slot.out_size, slot.rank, leaf.length, 1.0f, 0.0f);
    });
}

}  // namespace temper::cpu
