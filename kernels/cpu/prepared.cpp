#include "kernels/cpu/prepared.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"

namespace temper {
namespace {

using cpu::Border;
using cpu::kDepthStep;
using cpu::kPanelColumns;
using cpu::Panels;
using cpu::panels_of;
using cpu::round_up;

float* take_floats(Arena& arena, std::int64_t count) { return static_cast<float*>(arena.take(DType::f32, {count}).data); }

std::uint8_t* take_bytes(Arena& arena, std::int64_t count) { return static_cast<std::uint8_t*>(arena.take(DType::bf16, {(count + 1) / 2}).data); }

Panels take_panels(Arena& arena, std::int64_t columns, std::int64_t depth) {
    bf16* const data = static_cast<bf16*>(arena.take(DType::bf16, {Panels::elements(columns, depth)}).data);
    return {data, columns, round_up(depth, kDepthStep)};
}

void clear(const Panels& panels) { std::fill_n(panels.data, panels_of(panels.columns) * panels.stride(), bf16{0}); }

}  // namespace

void PackedLinear::lay_out(Arena& arena) {
    count_ranks();
    slot_begin.clear();
    s_columns = 0;
    for (const AdapterSlot& slot : adapters) {
        slot_begin.push_back(s_columns);
        s_columns += round_up(slot.rank, kPanelColumns);
    }
    s_stride = round_up(s_columns + kPanelColumns, kDepthStep);
    if (has_bias) bias = take_floats(arena, out);
    if (dora) {
        column_scale = take_floats(arena, out);
        norm = take_floats(arena, out);
    }
    if (is_quantized()) lay_out_quantized(arena);
    if (dtype == DType::f32) lay_out_f32(arena);
    else lay_out_bf16(arena);
}

// What load_quantized fills.
void PackedLinear::lay_out_quantized(Arena& arena) {
    quantized.clear();
    for (const QuantShape& part : parts) {
        QuantView view;
        static_cast<QuantShape&>(view) = part;
        view.data = take_bytes(arena, part.data_bytes());
        if (part.format.block_size > 0) view.map = take_floats(arena, 16);
        if (part.format.scaled()) view.scale = take_floats(arena, part.scales());
        if (part.format.nested()) {
            view.absmax_codes = take_bytes(arena, part.blocks());
            view.nested_map = take_floats(arena, 256);
            view.nested_absmax = take_floats(arena, part.nested_blocks());
        } else if (part.format.block_size > 0) view.absmax = take_floats(arena, part.blocks());
        quantized.push_back(view);
    }
}

void PackedLinear::lay_out_f32(Arena& arena) {
    if (in_panels) panels_f32 = take_floats(arena, panels_of(out) * kPanelColumns * in);
    else if (!is_quantized()) weight_f32 = take_floats(arena, out * in);
    b_f32.clear();
    if (adapters.empty()) return;
    a_f32 = take_floats(arena, rank_total * in);
    for (const AdapterSlot& slot : adapters) b_f32.push_back(take_floats(arena, slot.out_size * slot.rank));
}

void PackedLinear::lay_out_bf16(Arena& arena) {
    weight = is_quantized() ? Panels{nullptr, out, round_up(in, kDepthStep)} : take_panels(arena, out, in);
    b_forward.clear();
    b_backward.clear();
    a_borders.clear();
    if (adapters.empty()) return;
    s_scale = take_floats(arena, s_columns);
    a_forward = take_panels(arena, s_columns, in);
    lay_out_borders(arena);
    if (!backward) return;
    a_backward = take_panels(arena, in, s_columns);
    for (std::int64_t p = 0; p < panels_of(in); ++p) {
        const bf16* const data = a_backward.data == nullptr ? nullptr : a_backward.data + p * a_backward.stride();
        a_borders.push_back({data, 0, a_backward.depth});
    }
    for (const AdapterSlot& slot : adapters) b_backward.push_back(take_panels(arena, slot.rank, slot.out_size));
}

// A panel of y reads the columns of s from the first to the last slot that it belongs to: one slot, unless a slot ends inside it.
void PackedLinear::lay_out_borders(Arena& arena) {
    for (std::int64_t p = 0; p < panels_of(out); ++p) {
        std::int64_t begin = s_columns, end = 0;
        for (std::size_t i = 0; i < adapters.size(); ++i) {
            const std::int64_t slot_out_end = adapters[i].out_begin + adapters[i].out_size;
            if (adapters[i].out_begin >= (p + 1) * kPanelColumns || slot_out_end <= p * kPanelColumns) continue;
            begin = std::min(begin, slot_begin[i]);
            end = std::max(end, slot_begin[i] + round_up(adapters[i].rank, kPanelColumns));
        }
        Border border;
        if (end > begin) border = {take_panels(arena, kPanelColumns, end - begin).data, begin, round_up(end - begin, kDepthStep)};
        b_forward.push_back(border);
    }
}

void PackedLinear::pack_adapters(const Stream& stream, const float* parameters) {
    cpu::parallel_for(stream, static_cast<std::int64_t>(adapters.size()), [&](std::int64_t item) {
        const std::size_t i = static_cast<std::size_t>(item);
        const AdapterSlot& slot = adapters[i];
        const float *const a = parameters + slot.offset_a, *const b = parameters + slot.offset_b;
        if (dtype == DType::bf16) return pack_slot(i, a, b);
        std::memcpy(a_f32 + rank_begin[i] * in, a, static_cast<std::size_t>(slot.rank * in) * sizeof(float));
        std::memcpy(b_f32[i], b, static_cast<std::size_t>(slot.out_size * slot.rank) * sizeof(float));
    });
}

void PackedLinear::refresh(Stream& stream, View parameters) {
    pack_adapters(stream, parameters.as<float>());
    if (dora) refresh_scales(stream, parameters.as<float>());
}

std::size_t PackedLinear::predict_bytes() const {
    PackedLinear shape;
    static_cast<PreparedLinear::Impl&>(shape) = *this;
    Arena count;
    shape.lay_out(count);
    return count.used();
}

void PackedLinear::load_shape(View bias_values) {
    has_bias = !bias_values.empty();
    Arena count;
    lay_out(count);
    memory = Arena(count.used());
    lay_out(memory);
    clear_adapters();
    if (dora) {
        std::fill_n(column_scale, out, 1.0f);
        std::fill_n(norm, out, 1.0f);
    }
    if (has_bias) std::memcpy(bias, bias_values.as<float>(), static_cast<std::size_t>(out) * sizeof(float));
    for (std::size_t i = 0; i < adapters.size() && s_scale != nullptr; ++i)
        std::fill_n(s_scale + slot_begin[i], round_up(adapters[i].rank, kPanelColumns), adapters[i].scale);
}

void PackedLinear::load(Stream& stream, Span<const View> weights, View bias_values) {
    load_shape(bias_values);
    if (in_panels) return cpu::pack_panels_f32(stream, panels_f32, weights, in);
    if (dtype == DType::f32) return copy_rows(weights);
    std::vector<const bf16*> rows;
    for (const View& part : weights)
        for (std::int64_t row = 0; row < part.size(0); ++row) rows.push_back(part.row<bf16>(row));
    cpu::pack_rows_as_columns(stream, weight, rows.data(), in);
}

void PackedLinear::load_quantized(Stream&, Span<const QuantView> weights, View bias_values) {
    load_shape(bias_values);
    const auto fill = [](const auto* to, const auto* from, std::int64_t count) {
        if (count > 0)
            std::memcpy(const_cast<std::remove_const_t<std::remove_pointer_t<decltype(to)>>*>(to), from,
                        static_cast<std::size_t>(count) * sizeof *to);
    };
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const QuantView &from = weights[i], &to = quantized[i];
        const bool four_bits = from.format.block_size > 0, nested = from.format.nested();
        fill(to.data, from.data, from.data_bytes());
        fill(to.map, from.map, four_bits ? 16 : 0);
        fill(to.absmax, from.absmax, four_bits && !nested ? from.blocks() : 0);
        fill(to.absmax_codes, from.absmax_codes, nested ? from.blocks() : 0);
        fill(to.nested_map, from.nested_map, nested ? 256 : 0);
        fill(to.nested_absmax, from.nested_absmax, from.nested_blocks());
        fill(to.scale, from.scale, from.scales());
        quantized[i].offset = from.offset;
    }
}

PackedLinear::PartRow PackedLinear::part_of_row(std::int64_t row) const {
    std::int64_t first = 0;
    std::size_t i = 0;
    for (; row >= first + quantized[i].out; ++i) first += quantized[i].out;
    return {&quantized[i], first};
}

// A panel at a time: 16 rows rounded, then packed.
void PackedLinear::replace(Stream& stream, View numbers) {
    if (dtype == DType::f32) return copy_rows({&numbers, 1});
    const std::int64_t panel_elements = kPanelColumns * in;
    bf16* const scratch = static_cast<bf16*>(stream.scratch(static_cast<std::size_t>(stream.threads() * panel_elements) * sizeof(bf16)));
    const auto pack = stream.isa() >= Isa::avx512 ? cpu::pack_panel_avx512 : cpu::pack_panel_scalar;
    cpu::parallel_for(stream, panels_of(out), [&](std::int64_t panel, int thread) {
        bf16* const rounded = scratch + thread * panel_elements;
        const bf16* rows[kPanelColumns];
        const std::int64_t first = panel * kPanelColumns, count = std::min(kPanelColumns, out - first);
        for (std::int64_t j = 0; j < count; ++j) {
            cpu::row_kernels<bf16>(stream.isa()).narrow(rounded + j * in, numbers.row<float>(first + j), in);
            rows[j] = rounded + j * in;
        }
        pack(weight.data + panel * weight.stride(), rows, count, in);
    });
}

void PackedLinear::unpack_row(float* to, std::int64_t row) const {
    if (dtype == DType::f32) {
        if (is_quantized()) return cpu::expand_row(to, *this, row);
        std::memcpy(to, weight_f32 + row * in, static_cast<std::size_t>(in) * sizeof(float));
        return;
    }
    if (is_quantized()) {
        cpu::expand_row(to, *this, row);
        for (std::int64_t k = 0; k < in; ++k) to[k] = from_bf16(to_bf16(to[k]));
        return;
    }
    for (std::int64_t k = 0; k < in; ++k) {
        const std::uint32_t bits = static_cast<std::uint32_t>(weight.at(k, row)) << 16;
        std::memcpy(to + k, &bits, sizeof bits);
    }
}

void PackedLinear::clear_adapters() {
    if (adapters.empty()) return;
    if (dtype == DType::f32) {
        std::fill_n(a_f32, rank_total * in, 0.0f);
        for (std::size_t i = 0; i < adapters.size(); ++i) std::fill_n(b_f32[i], adapters[i].out_size * adapters[i].rank, 0.0f);
        return;
    }
    clear(a_forward);
    clear(a_backward);
    for (const Panels& panels : b_backward) clear(panels);
    for (const Border& border : b_forward) clear({const_cast<bf16*>(border.data), kPanelColumns, border.depth});
}

void PackedLinear::copy_rows(Span<const View> weights) {
    float* to = weight_f32;
    for (const View& part : weights)
        for (std::int64_t row = 0; row < part.size(0); ++row, to += in)
            std::memcpy(to, part.row<float>(row), static_cast<std::size_t>(in) * sizeof(float));
}

// Writes the slot's own elements; the zeros around them stay from the construction.
void PackedLinear::pack_slot(std::size_t i, const float* a, const float* b) {
    const AdapterSlot& slot = adapters[i];
    for (std::int64_t r = 0; r < slot.rank; ++r) {
        for (std::int64_t k = 0; k < in; ++k) {
            const bf16 value = to_bf16(a[r * in + k]);
            a_forward.at(k, slot_begin[i] + r) = value;
            if (backward) a_backward.at(slot_begin[i] + r, k) = value;
        }
    }
    for (std::int64_t o = 0; o < slot.out_size; ++o) {
        const std::int64_t column = slot.out_begin + o;
        const Border& border = b_forward[static_cast<std::size_t>(column / kPanelColumns)];
        const Panels panel{const_cast<bf16*>(border.data), kPanelColumns, border.depth};
        for (std::int64_t r = 0; r < slot.rank; ++r) {
            const bf16 value = to_bf16(b[o * slot.rank + r]);
            panel.at(slot_begin[i] - border.begin + r, column % kPanelColumns) = value;
            if (backward) b_backward[i].at(o, r) = value;
        }
    }
}

}  // namespace temper
