// The float32 linear layer. Every product is a tile of kTileRows rows and fixed columns, whatever the number of rows and threads, so
// that a row meets the same BLAS code in every call; the last rows of an array are padded with zeros to a whole tile.
#include <algorithm>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/tiles_f32.h"

namespace temper::cpu {
namespace {

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

// A thread's memory for dropout: a tile of masked x, a row of factors, and two tiles of output.
struct MaskedTiles {
    float *x = nullptr, *factors = nullptr, *base = nullptr, *adapter = nullptr;

    static std::size_t scratch(std::int64_t in) {
        return ScratchCuts::bytes<float>(kTileRows * in) + ScratchCuts::bytes<float>(in) + 2 * ScratchCuts::bytes<float>(kTileRows * kTileColumns);
    }
    MaskedTiles(char* memory, std::int64_t in) {
        ScratchCuts cuts(memory);
        x = cuts.take<float>(kTileRows * in);
        factors = cuts.take<float>(in);
        base = cuts.take<float>(kTileRows * kTileColumns);
        adapter = cuts.take<float>(kTileRows * kTileColumns);
    }
};

void scale_columns(const OutputTile& tile, const float* scale, std::int64_t columns) {
    for (std::int64_t r = 0; r < tile.rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) tile.data[r * tile.stride + c] *= scale[c];
}

// DoRA under dropout, some columns of one slot: out += (g - 1) x' W^T + g s B^T.
void add_masked_dora(float* out, std::int64_t stride, Matrix masked, Matrix s, const PackedLinear& w, const float* weight, std::size_t slot,
                     std::int64_t begin, std::int64_t columns, const MaskedTiles& work) {
    const std::int64_t rank = w.adapters[slot].rank;
    multiply(work.base, kTileColumns, masked, {weight + begin * w.in, w.in, true}, kTileRows, columns, w.in, 1.0f, 0.0f);
    multiply(work.adapter, kTileColumns, s, {w.b_f32[slot] + (begin - w.adapters[slot].out_begin) * rank, rank, true}, kTileRows, columns, rank, 1.0f,
             0.0f);
    for (std::int64_t r = 0; r < kTileRows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) {
            const float g = w.column_scale[begin + c];
            out[r * stride + c] += (g - 1.0f) * work.base[r * kTileColumns + c] + g * work.adapter[r * kTileColumns + c];
        }
}

}  // namespace

void linear_f32(Stream& stream, View y, View x, const PackedLinear& w, View s, const Epilogue& epilogue, const Dropout& dropout,
                std::int64_t adapted_rows) {
    const std::int64_t n = x.size(0), tiles = tiles_of(n), column_tiles = (w.out + kTileColumns - 1) / kTileColumns;
    const View residual = epilogue.kind == Epilogue::Kind::residual ? epilogue.residual : View();
    const bool beside = overlaps(residual, y), adapted = adapted_rows > 0;
    const std::int64_t s_count = adapted ? tiles * kTileRows * w.rank_total : 0, tile_count = stream.threads() * kTileRows * kTileColumns;
    const bool drops = dropout.active(), masked_dora = drops && w.dora;
    const std::int64_t expanded_count = WholeWeight::expanded_count(w);
    const std::size_t masked_bytes = drops ? MaskedTiles::scratch(w.in) : 0;
    ScratchCuts cuts(stream, InputTiles::scratch(w.in) + ScratchCuts::bytes<float>(s_count) + ScratchCuts::bytes<float>(tile_count) +
                                 ScratchCuts::bytes<float>(expanded_count) + static_cast<std::size_t>(stream.threads()) * masked_bytes);
    const InputTiles inputs(x, cuts);
    float* const all_s = cuts.take<float>(s_count);
    float* const outputs = cuts.take<float>(tile_count);
    const float* const weight = WholeWeight(stream, w, cuts.take<float>(expanded_count)).rows;
    char* const masked_memory = cuts.take<char>(0);
    const auto masked_tiles = [&](int thread) { return MaskedTiles(masked_memory + static_cast<std::size_t>(thread) * masked_bytes, w.in); };
    const auto masked_input = [&](const MaskedTiles& work, std::int64_t tile, std::size_t slot) {
        return drop_tile(stream.isa(), work.x, work.factors, x, tile, dropout, w.adapters[slot].module);
    };

    if (adapted)
        parallel_for(stream, tiles, [&](std::int64_t tile, int thread) {
            float* const tile_s = all_s + tile * kTileRows * w.rank_total;
            for (std::size_t i = 0; i < w.adapters.size(); ++i)
                multiply(tile_s + w.rank_begin[i], w.rank_total, drops ? masked_input(masked_tiles(thread), tile, i) : inputs.at(tile),
                         {w.a_f32 + w.rank_begin[i] * w.in, w.in, true}, kTileRows, w.adapters[i].rank, w.in, w.adapters[i].scale, 0.0f);
            // Without s a row has no adapter.
            for (std::int64_t row = std::max(adapted_rows, tile * kTileRows); row < (tile + 1) * kTileRows; ++row)
                std::fill_n(all_s + row * w.rank_total, w.rank_total, 0.0f);
            if (s.empty()) return;
            for (std::int64_t row = tile * kTileRows; row < std::min(adapted_rows, (tile + 1) * kTileRows); ++row)
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
        multiply(out.data, out.stride, inputs.at(tile), {weight + first * w.in, w.in, true}, kTileRows, columns, w.in, 1.0f, 0.0f);
        for (std::size_t i = 0; adapted && i < w.adapters.size(); ++i) {
            const AdapterSlot& slot = w.adapters[i];
            const std::int64_t begin = std::max(first, slot.out_begin), end = std::min(first + columns, slot.out_begin + slot.out_size);
            if (begin >= end) continue;
            if (masked_dora && slot.offset_m >= 0) {
                const MaskedTiles work = masked_tiles(thread);
                const Matrix tile_s{all_s + tile * kTileRows * w.rank_total + w.rank_begin[i], w.rank_total};
                add_masked_dora(out.data + begin - first, out.stride, masked_input(work, tile, i), tile_s, w, weight, i, begin, end - begin, work);
                continue;
            }
            multiply(out.data + begin - first, out.stride, {all_s + tile * kTileRows * w.rank_total + w.rank_begin[i], w.rank_total},
                     {w.b_f32[i] + (begin - slot.out_begin) * slot.rank, slot.rank, true}, kTileRows, end - begin, slot.rank, 1.0f, 1.0f);
        }
        if (adapted && w.dora && !drops) scale_columns(out, w.column_scale + first, columns);
        if (w.bias != nullptr || !residual.empty()) add_to_rows(out, w.bias, residual, tile * kTileRows, first, columns);
        out.write_back(columns);
    });
    parallel_for(stream, tiles, [&](std::int64_t tile) {
        finish_rows(stream.isa(), y, epilogue, {tile * kTileRows, std::min(n, (tile + 1) * kTileRows)});
    });
}

}  // namespace temper::cpu
