#include "kernels/cpu/transpose.h"

#include <algorithm>
#include <cstring>

namespace temper::cpu {

void transpose_panels(Isa isa, bf16* to, std::int64_t to_stride, const Panels& from, Range columns, Range depths) {
    const auto blocks = isa >= Isa::avx512 ? transpose_blocks_avx512 : transpose_blocks_scalar;
    const std::int64_t last = std::min(depths.end, panels_of(from.columns)), count = last - depths.begin;
    for (std::int64_t column = columns.begin; column < columns.end; ++column) {
        bf16* const panel = to + (column - columns.begin) * to_stride;
        blocks(panel, from.data + depths.begin * from.stride() + column * kTransposeBlock, from.stride(), count);
        std::fill(panel + count * kTransposeBlock, panel + depths.size() * kTransposeBlock, bf16{0});
    }
}

void transpose_blocks_scalar(bf16* to, const bf16* from, std::int64_t from_stride, std::int64_t count) {
    constexpr std::int64_t units = 8;  // of 2 x 2 numbers
    for (std::int64_t block = 0; block < count; ++block, from += from_stride, to += kTransposeBlock) {
        for (std::int64_t i = 0; i < units; ++i) {
            for (std::int64_t j = 0; j < units; ++j) {
                std::uint64_t unit;
                std::memcpy(&unit, from + (j * units + i) * 4, sizeof unit);
                unit = (unit & 0xffff00000000ffffu) | ((unit & 0xffff0000u) << 16) | ((unit >> 16) & 0xffff0000u);
                std::memcpy(to + (i * units + j) * 4, &unit, sizeof unit);
            }
        }
    }
}

}  // namespace temper::cpu
