// Gradients of the float32 linear layer, in the tiles of its forward pass.
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/tiles_f32.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kMagnitudeColumns = 64;  // of one thread's item of DoRA's magnitudes

// What variants take beyond plain LoRA; arrays of rows are completed to whole tiles.
struct VariantWork {
    float* scaled = nullptr;        // (N, out): DoRA's g d_y
    float* masked = nullptr;        // (N, in): x under the masks of one slot
    float* factors = nullptr;       // (threads, in)
    float* tile = nullptr;          // (threads, kTileRows * kTileColumns)
    float* s = nullptr;             // (N, rank_total)
    const float* weight = nullptr;  // (out, in)
    std::int64_t rows = 0;

    static std::size_t scratch(const Stream& stream, const PackedLinear& w, std::int64_t n, bool drops) {
        const std::int64_t rows = tiles_of(n) * kTileRows, threads = stream.threads();
        std::size_t bytes = w.dora ? ScratchCuts::bytes<float>(rows * w.out) + ScratchCuts::bytes<float>(rows * w.rank_total) : 0;
        if (drops || w.dora) bytes += ScratchCuts::bytes<float>(rows * w.in) + ScratchCuts::bytes<float>(threads * kTileRows * kTileColumns);
        if (drops) bytes += ScratchCuts::bytes<float>(threads * w.in);
        return bytes;
    }
    VariantWork(const Stream& stream, const PackedLinear& w, std::int64_t n, bool drops, ScratchCuts& cuts) : rows(tiles_of(n) * kTileRows) {
        if (w.dora) {
            scaled = cuts.take<float>(rows * w.out);
            s = cuts.take<float>(rows * w.rank_total);
        }
        if (drops || w.dora) {
            masked = cuts.take<float>(rows * w.in);
            tile = cuts.take<float>(stream.threads() * kTileRows * kTileColumns);
        }
        if (drops) factors = cuts.take<float>(stream.threads() * w.in);
    }
};

void scale_gradient(const Stream& stream, float* to, View d_y, const float* scale, std::int64_t rows) {
    const std::int64_t out = d_y.size(1);
    for_rows(stream, rows, out, [&](std::int64_t row) {
        for (std::int64_t c = 0; c < out; ++c) to[row * out + c] = row < d_y.size(0) ? d_y.row<float>(row)[c] * scale[c] : 0.0f;
    });
}

// d_x of some columns += mask * (d_s A + (g d_y - d_y) W) of one slot; the second term is DoRA's.
void add_masked_input_gradient(Isa isa, const OutputTile& out, const PackedLinear& w, const float* weight, std::size_t i, Matrix d_s, View d_y,
                               const float* scaled, std::int64_t tile, std::int64_t first, std::int64_t columns, float* product, float* factors,
                               float* rows, const Dropout& dropout) {
    const AdapterSlot& slot = w.adapters[i];
    multiply(product, kTileColumns, d_s, {w.a_f32 + w.rank_begin[i] * w.in + first, w.in}, kTileRows, columns, slot.rank, 1.0f, 0.0f);
    if (scaled != nullptr && slot.offset_m >= 0) {
        for (std::int64_t r = 0; r < kTileRows; ++r)
            for (std::int64_t c = 0; c < slot.out_size; ++c) {
                const std::int64_t row = tile * kTileRows + r, column = slot.out_begin + c;
                rows[r * slot.out_size + c] = row < d_y.size(0) ? scaled[row * w.out + column] - d_y.row<float>(row)[column] : 0.0f;
            }
        multiply(product, kTileColumns, {rows, slot.out_size}, {weight + slot.out_begin * w.in + first, w.in}, kTileRows, columns, slot.out_size,
                 1.0f, 1.0f);
    }
    for (std::int64_t r = 0; r < out.rows; ++r) {
        mask_factors(isa, factors, first, columns, mask_row(dropout, tile * kTileRows + r, slot.module));
        for (std::int64_t c = 0; c < columns; ++c) out.data[r * out.stride + c] += factors[c] * product[r * kTileColumns + c];
    }
}

// d_m of some columns of a slot: per leaf, the sum over its tokens in order of d_y (x W^T + s B^T) / norm.
void magnitude_gradient(const PackedLinear& w, const float* weight, std::size_t i, std::int64_t begin, View x, const float* s, View d_y,
                        View d_adapter, Span<const Leaf> leaves, float* tile) {
    const AdapterSlot& slot = w.adapters[i];
    const std::int64_t columns = std::min(kMagnitudeColumns, slot.out_size - begin), first = slot.out_begin + begin;
    std::int64_t row = 0;
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
        double sums[kMagnitudeColumns] = {};
        for (const std::int64_t end = row + leaves[leaf].length; row < end; ++row) {
            if (row % kTileRows == 0) {
                multiply(tile, kTileColumns, {x.row<float>(row), x.row_stride()}, {weight + first * w.in, w.in, true}, kTileRows, columns, w.in, 1.0f,
                         0.0f);
                multiply(tile, kTileColumns, {s + row * w.rank_total + w.rank_begin[i], w.rank_total},
                         {w.b_f32[i] + begin * slot.rank, slot.rank, true}, kTileRows, columns, slot.rank, 1.0f, 1.0f);
            }
            for (std::int64_t c = 0; c < columns; ++c)
                sums[c] += static_cast<double>(d_y.row<float>(row)[first + c]) * static_cast<double>(tile[row % kTileRows * kTileColumns + c]);
        }
        float* const out = d_adapter.row<float>(static_cast<std::int64_t>(leaf)) + slot.offset_m + begin;
        for (std::int64_t c = 0; c < columns; ++c) out[c] = w.norm[first + c] > 0.0f ? static_cast<float>(sums[c]) / w.norm[first + c] : 0.0f;
    }
}

// Sums of one slot, a leaf at a time: two products whose depth is the leaf's length, so that they know nothing of where it lies.
void leaf_product(const PackedLinear& w, std::size_t i, bool is_a, const Leaf& leaf, float* out, const float* d_s, View d_y, View x, View s) {
    const AdapterSlot& slot = w.adapters[i];
    if (is_a)  // d_A = d_s^T x
        multiply(out + slot.offset_a, w.in, {d_s + leaf.begin * w.rank_total + w.rank_begin[i], w.rank_total, true},
                 {x.row<float>(leaf.begin), x.row_stride()}, slot.rank, w.in, leaf.length, 1.0f, 0.0f);
    else  // d_B = d_y^T s
        multiply(out + slot.offset_b, slot.rank, {d_y.row<float>(leaf.begin) + slot.out_begin, d_y.row_stride(), true},
                 {s.row<float>(leaf.begin) + w.rank_begin[i], s.row_stride()}, slot.out_size, slot.rank, leaf.length, 1.0f, 0.0f);
}

// x (or its masked twin) of one slot as the variants' sums read it: whole tiles of rows, zeros behind the last.
View fill_rows(const Stream& stream, const PackedLinear& w, const VariantWork& work, std::size_t i, View x, const Dropout& dropout) {
    parallel_for(stream, work.rows / kTileRows, [&](std::int64_t tile, int thread) {
        float* const to = work.masked + tile * kTileRows * w.in;
        if (dropout.active()) {
            drop_tile(stream.isa(), to, work.factors + thread * w.in, x, tile, dropout, w.adapters[i].module);
            return;
        }
        for (std::int64_t r = 0; r < kTileRows; ++r) {
            const std::int64_t row = tile * kTileRows + r;
            if (row < x.size(0)) std::memcpy(to + r * w.in, x.row<float>(row), static_cast<std::size_t>(w.in) * sizeof(float));
            else std::memset(to + r * w.in, 0, static_cast<std::size_t>(w.in) * sizeof(float));
        }
    });
    return View(work.masked, DType::f32, {work.rows, w.in});
}

// Adapter gradients where x is masked or there are magnitudes, slot by slot.
void variant_gradients(const Stream& stream, const PackedLinear& w, const VariantWork& work, View d_adapter, View d_y, View scaled, const float* d_s,
                       View x, View s, Span<const Leaf> leaves, const Dropout& dropout) {
    if (w.dora)
        for_rows(stream, work.rows, w.rank_total, [&](std::int64_t row) {
            float* const to = work.s + row * w.rank_total;
            if (row < x.size(0)) std::memcpy(to, s.row<float>(row), static_cast<std::size_t>(w.rank_total) * sizeof(float));
            else std::memset(to, 0, static_cast<std::size_t>(w.rank_total) * sizeof(float));
        });
    const auto leaf_count = static_cast<std::int64_t>(leaves.size());
    for (std::size_t i = 0; i < w.adapters.size(); ++i) {
        const View rows = dropout.active() || i == 0 ? fill_rows(stream, w, work, i, x, dropout) : View(work.masked, DType::f32, {work.rows, w.in});
        parallel_for(stream, leaf_count * 2, [&](std::int64_t item) {
            leaf_product(w, i, item % 2 == 0, leaves[static_cast<std::size_t>(item / 2)], d_adapter.row<float>(item / 2), d_s, scaled, rows, s);
        });
        if (w.adapters[i].offset_m < 0) continue;
        parallel_for(stream, (w.adapters[i].out_size + kMagnitudeColumns - 1) / kMagnitudeColumns, [&](std::int64_t item, int thread) {
            magnitude_gradient(w, work.weight, i, item * kMagnitudeColumns, rows, work.s, d_y, d_adapter, leaves,
                               work.tile + thread * kTileRows * kTileColumns);
        });
    }
}

}  // namespace

void linear_backward_f32(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& w, View x, View s, Span<const Leaf> leaves,
                         const Dropout& dropout) {
    const std::int64_t n = d_y.size(0), tiles = tiles_of(n), column_tiles = (w.in + kTileColumns - 1) / kTileColumns;
    const std::int64_t s_count = tiles * kTileRows * w.rank_total, tile_count = stream.threads() * kTileRows * kTileColumns;
    const bool drops = dropout.active(), masked_dora = drops && w.dora;
    const std::int64_t rows_count = masked_dora ? stream.threads() * kTileRows * w.out : 0;
    const std::int64_t expanded_count = WholeWeight::expanded_count(w);
    ScratchCuts cuts(stream, 2 * InputTiles::scratch(w.out) + ScratchCuts::bytes<float>(s_count) + ScratchCuts::bytes<float>(tile_count) +
                                 VariantWork::scratch(stream, w, n, drops) + ScratchCuts::bytes<float>(expanded_count) +
                                 ScratchCuts::bytes<float>(rows_count));
    VariantWork work(stream, w, n, drops, cuts);
    const float* const weight = WholeWeight(stream, w, cuts.take<float>(expanded_count)).rows;
    work.weight = weight;
    // What reaches W and the adapters: with DoRA the gradient of the product before its columns are scaled.
    View scaled = d_y;
    if (w.dora) {
        scale_gradient(stream, work.scaled, d_y, w.column_scale, work.rows);
        scaled = View(work.scaled, DType::f32, {n, w.out});
    }
    const InputTiles gradients(scaled, cuts), plain(d_y, cuts);
    float* const d_s = cuts.take<float>(s_count);
    float* const outputs = cuts.take<float>(tile_count);
    float* const differences = cuts.take<float>(rows_count);

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
            multiply(out.data, out.stride, masked_dora ? plain.at(tile) : gradients.at(tile), {weight + first, w.in}, kTileRows, columns, w.out, 1.0f,
                     0.0f);
            const float* const tile_d_s = d_s + tile * kTileRows * w.rank_total;
            if (drops) {
                for (std::size_t i = 0; i < w.adapters.size(); ++i)
                    add_masked_input_gradient(stream.isa(), out, w, weight, i, {tile_d_s + w.rank_begin[i], w.rank_total}, d_y, work.scaled, tile,
                                              first, columns, work.tile + thread * kTileRows * kTileColumns, work.factors + thread * w.in,
                                              differences + thread * kTileRows * w.out, dropout);
            } else if (slots > 0) {
                multiply(out.data, out.stride, {tile_d_s, w.rank_total}, {w.a_f32 + first, w.in}, kTileRows, columns, w.rank_total, 1.0f, 1.0f);
            }
            out.write_back(columns);
        });
    if (drops || w.dora) return variant_gradients(stream, w, work, d_adapter, d_y, scaled, d_s, x, s, leaves, dropout);
    parallel_for(stream, static_cast<std::int64_t>(leaves.size()) * slots * 2, [&](std::int64_t item) {
        const std::int64_t leaf = item / (slots * 2);
        leaf_product(w, static_cast<std::size_t>(item / 2 % slots), item % 2 == 0, leaves[static_cast<std::size_t>(leaf)], d_adapter.row<float>(leaf),
                     d_s, d_y, x, s);
    });
}

}  // namespace temper::cpu
