// DoRA's scales of the output columns: g = m / |W + scale B A|, the length of a row by float32 tiles from BLAS and a sum in double.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/prepared.h"
#include "kernels/cpu/scratch.h"

namespace temper {
namespace {

constexpr std::int64_t kRows = 64;

constexpr std::int64_t tiles_of(const AdapterSlot& slot) { return slot.offset_m < 0 ? 0 : (slot.out_size + kRows - 1) / kRows; }

}  // namespace

void PackedLinear::refresh_scales(Stream& stream, const float* parameters) {
    std::int64_t tiles = 0;
    for (const AdapterSlot& slot : adapters) tiles += tiles_of(slot);
    const std::int64_t tile_count = kRows * in;
    cpu::ScratchCuts cuts(stream, static_cast<std::size_t>(stream.threads()) * cpu::ScratchCuts::bytes<float>(tile_count));
    float* const tile_memory = cuts.take<float>(stream.threads() * tile_count);
    cpu::parallel_for(stream, tiles, [&](std::int64_t item, int thread) {
        std::size_t i = 0;
        for (; item >= tiles_of(adapters[i]); ++i) item -= tiles_of(adapters[i]);
        const AdapterSlot& slot = adapters[i];
        const std::int64_t first = item * kRows, rows = std::min(kRows, slot.out_size - first);
        float* const tile = tile_memory + thread * tile_count;
        for (std::int64_t r = 0; r < rows; ++r) unpack_row(tile + r * in, slot.out_begin + first + r);
        cpu::multiply(tile, in, {parameters + slot.offset_b + first * slot.rank, slot.rank}, {parameters + slot.offset_a, in}, rows, in, slot.rank,
                      slot.scale, 1.0f);
        for (std::int64_t r = 0; r < rows; ++r) {
            double squares = 0.0;
            for (std::int64_t k = 0; k < in; ++k) squares += static_cast<double>(tile[r * in + k]) * static_cast<double>(tile[r * in + k]);
            const std::int64_t column = slot.out_begin + first + r;
            const auto length = static_cast<float>(std::sqrt(squares));
            norm[column] = length;
            // A row of zeros stays one, whatever its magnitude.
            column_scale[column] = length > 0.0f ? parameters[slot.offset_m + first + r] / length : 0.0f;
        }
    });
}

}  // namespace temper
