// What a PreparedLinear holds on the CPU.
// bfloat16: the weight once, as panels for y = x W^T (depth `in`); d_x = d_y W transposes them as it goes (transpose.h); the adapters as
// borders of both. float32: plain row-major copies for BLAS. A quantised weight stays as it is (dequantize.h).
// Inside, s and d_s are laid out with every slot beginning at a multiple of 16 columns (slot_begin), zeros between: s_columns wide,
// s_stride apart, so that a border may read whole steps of 32 depths.
#pragma once
#include <vector>

#include "kernels/cpu/pack.h"
#include "kernels/prepared.h"

namespace temper {

struct PackedLinear final : PreparedLinear::Impl {
    std::vector<std::int64_t> slot_begin;  // of a slot in the inner s
    std::int64_t s_columns = 0, s_stride = 0;
    Arena memory;
    float* bias = nullptr;          // (out)
    float* column_scale = nullptr;  // (out) DoRA's g = m / norm, 1 where there is none; null without DoRA
    float* norm = nullptr;          // (out) length of a row of W + scale B A

    cpu::Panels weight;
    cpu::Panels a_forward;                // s = x A^T: depth in, columns s_columns
    cpu::Panels a_backward;               // d_x += d_s A: depth s_columns, columns in
    std::vector<cpu::Panels> b_backward;  // a slot: d_s = d_y B: depth out_size, columns rank
    std::vector<cpu::Border> b_forward;   // a panel of y: the slots that it belongs to
    std::vector<cpu::Border> a_borders;   // a panel of d_x: a_backward
    float* s_scale = nullptr;             // (s_columns)

    float* weight_f32 = nullptr;       // (out, in)
    float* panels_f32 = nullptr;       // in its place: [panel][in][16] (gemm_f32.h)
    std::vector<QuantView> quantized;  // of a weight that stays so; then weight has no data, and weight_f32 is null
    float* a_f32 = nullptr;            // (rank_total, in)
    std::vector<float*> b_f32;         // a slot: (out_size, rank)

    // Places everything in `memory`; on an empty arena this only counts.
    void lay_out(Arena& arena);
    void load(Stream& stream, Span<const View> weights, View bias_values) override;
    void refresh(Stream& stream, View parameters) override;
    void replace(Stream& stream, View numbers) override;
    std::size_t bytes() const override { return memory.capacity(); }
    std::size_t predict_bytes() const override;
    void unpack_row(float* to, std::int64_t row) const;  // of the weight (out, in)
    void load_quantized(Stream& stream, Span<const QuantView> weights, View bias_values) override;
    bool is_quantized() const { return !parts.empty(); }
    struct PartRow {
        const QuantView* part;
        std::int64_t first;  // its first row in the stacked weight
    };
    PartRow part_of_row(std::int64_t row) const;

  private:
    void load_shape(View bias_values);  // all but the weight
    void lay_out_quantized(Arena& arena);
    void pack_adapters(const Stream& stream, const float* parameters);
    // DoRA: norm and column_scale for new adapter values (dora.cpp).
    void refresh_scales(Stream& stream, const float* parameters);
    void lay_out_f32(Arena& arena);
    void lay_out_bf16(Arena& arena);
    void lay_out_borders(Arena& arena);
    void clear_adapters();
    void copy_rows(Span<const View> weights);
    void pack_slot(std::size_t slot, const float* a, const float* b);
};

}  // namespace temper
