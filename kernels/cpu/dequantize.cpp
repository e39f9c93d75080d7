#include "kernels/cpu/dequantize.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/linear_variants.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/prepared.h"
#include "kernels/cpu/rows.h"
#include "kernels/fp8.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRun = 512;  // numbers of a row at a time: 16 such rows stay in the first-level cache; a multiple of every block

void four_bits(Isa isa, bf16* to, const QuantView& w, std::int64_t first, std::int64_t count) {
    const auto expand = isa >= Isa::avx512 ? expand_nibbles_avx512 : isa >= Isa::avx2 ? expand_nibbles_avx2 : expand_nibbles_scalar;
    for (std::int64_t i = first, end = first + count; i < end;) {
        const std::int64_t block = i / w.format.block_size, stop = std::min(end, (block + 1) * w.format.block_size);
        expand(to, w.data, i, stop - i, w.map, w.absmax_of(block));
        to += stop - i;
        i = stop;
    }
}

void scaled_floats(Isa isa, bf16* to, const QuantView& w, std::int64_t row, std::int64_t begin, std::int64_t count) {
    const auto expand = isa >= Isa::avx512 ? expand_f8_avx512 : isa >= Isa::avx2 ? expand_f8_avx2 : expand_f8_scalar;
    const float* const scales = w.scale + row / w.format.scale_rows * w.scales_a_row();
    for (std::int64_t i = begin, end = begin + count; i < end;) {
        const std::int64_t block = i / w.format.scale_columns, stop = std::min(end, (block + 1) * w.format.scale_columns);
        expand(to, w.data + row * w.in + i, stop - i, scales[block]);
        to += stop - i;
        i = stop;
    }
}

void encoded(Isa isa, bf16* to, const QuantView& w, std::int64_t row, std::int64_t begin, std::int64_t count) {
    float numbers[kRun];
    for (std::int64_t done = 0; done < count; done += kRun) {
        const std::int64_t run = std::min(kRun, count - done);
        dequantize(numbers, w, row, begin + done, run);
        row_kernels<bf16>(isa).narrow(to + done, numbers, run);
    }
}

}  // namespace

void expand_nibbles_scalar(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax) {
    bf16 values[16];
    for (int i = 0; i < 16; ++i) values[i] = to_bf16(map[i] * absmax);
    for (std::int64_t i = first; i < first + count; ++i) *to++ = values[i % 2 == 0 ? data[i / 2] >> 4 : data[i / 2] & 15];
}

void expand_f8_scalar(bf16* to, const std::uint8_t* data, std::int64_t count, float scale) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = to_bf16(from_f8(data[i]) * scale);
}

void expand_row(Isa isa, bf16* to, const PackedLinear& weight, std::int64_t row, std::int64_t begin, std::int64_t count) {
    const auto [part, first] = weight.part_of_row(row);
    if (part->format.encoding == nullptr) four_bits(isa, to, *part, (row - first) * part->in + begin, count);
    else if (part->format.scaled()) scaled_floats(isa, to, *part, row - first, begin, count);
    else encoded(isa, to, *part, row - first, begin, count);
}

void expand_row(float* to, const PackedLinear& weight, std::int64_t row) {
    const auto [part, first] = weight.part_of_row(row);
    dequantize(to, *part, row - first, 0, part->in);
}

void expand_panel(Isa isa, bf16* to, const PackedLinear& weight, std::int64_t panel) {
    const auto pack = isa >= Isa::avx512 ? pack_panel_avx512 : pack_panel_scalar;
    const std::int64_t first = panel * kPanelColumns, count = std::min(kPanelColumns, weight.out - first);
    bf16 memory[kPanelColumns][kRun];
    const bf16* rows[kPanelColumns];
    for (std::int64_t k = 0; k < weight.in; k += kRun) {
        const std::int64_t depth = std::min(kRun, weight.in - k);
        for (std::int64_t j = 0; j < count; ++j) {
            expand_row(isa, memory[j], weight, first + j, k, depth);
            rows[j] = memory[j];
        }
        pack(to + k * kPanelColumns, rows, count, depth);
    }
}

// Two rows of W are one step of pairs of a transposed panel: their numbers alternate.
void expand_transposed(Isa isa, bf16* to, std::int64_t to_stride, const PackedLinear& weight, Range columns, std::int64_t depth) {
    const std::int64_t begin = columns.begin * kPanelColumns, end = std::min(weight.in, columns.end * kPanelColumns);
    for (std::int64_t first = begin; first < columns.end * kPanelColumns; first += kRun) {
        const std::int64_t all = std::min(kRun, columns.end * kPanelColumns - first), count = std::clamp<std::int64_t>(end - first, 0, all);
        for (std::int64_t k = depth; k < depth + kDepthStep; k += 2) {
            bf16 rows[2][kRun];
            for (std::int64_t j = 0; j < 2; ++j) {
                const std::int64_t known = k + j < weight.out ? count : 0;
                if (known > 0) expand_row(isa, rows[j], weight, k + j, first, known);
                std::memset(rows[j] + known, 0, static_cast<std::size_t>(all - known) * sizeof(bf16));
            }
            for (std::int64_t c = 0; c < all; c += kPanelColumns) {
                bf16* const panel = to + (first - begin + c) / kPanelColumns * to_stride + k * kPanelColumns;
                for (std::int64_t i = 0; i < kPanelColumns; ++i) {
                    panel[2 * i] = rows[0][c + i];
                    panel[2 * i + 1] = rows[1][c + i];
                }
            }
        }
    }
}

std::int64_t WholeWeight::expanded_count(const PackedLinear& w) {
    if (!w.is_quantized()) return 0;
    return w.dtype == DType::f32 ? w.out * w.in : Panels::elements(w.out, w.in);
}

WholeWeight::WholeWeight(const Stream& stream, const PackedLinear& w, void* memory) : panels(w.weight), rows(w.weight_f32) {
    if (!w.is_quantized()) return;
    if (w.dtype == DType::f32) {
        rows = static_cast<const float*>(memory);
        parallel_for(stream, w.out, [&](std::int64_t row) { expand_row(static_cast<float*>(memory) + row * w.in, w, row); });
        return;
    }
    panels.data = static_cast<bf16*>(memory);
    parallel_for(stream, panels_of(w.out), [&](std::int64_t panel) { expand_panel(stream.isa(), panels.data + panel * panels.stride(), w, panel); });
}

std::int64_t strip_of(const PackedLinear& w) { return w.is_quantized() ? strip_panels(w.out, w.in) : panels_of(w.out); }

}  // namespace temper::cpu
