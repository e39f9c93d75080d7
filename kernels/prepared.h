// What a PreparedLinear is behind its handle: the shape and adapters that every device knows, and the device's own layout in a derived class.
#pragma once
#include <vector>

#include "kernels/ops.h"
#include "kernels/quantized.h"

namespace temper {

struct PreparedLinear::Impl {
    DType dtype = DType::f32;
    std::int64_t in = 0, out = 0, rank_total = 0;
    bool backward = true, has_bias = false;
    bool dora = false;  // some slot has a magnitude
    bool in_panels = false;
    std::vector<AdapterSlot> adapters;
    std::vector<std::int64_t> rank_begin;  // of a slot in the caller's s (N, rank_total)
    std::vector<QuantShape> parts;         // of a weight that stays quantised, stacked along out; else none

    virtual ~Impl() = default;
    // Takes over the weights, once: allocates, lays out, packs. weights and bias lie in host memory. Adapters are zero until refresh.
    virtual void load(Stream& stream, Span<const View> weights, View bias) = 0;
    // The same of a weight that is quantised, stacked as `parts` says.
    virtual void load_quantized(Stream& stream, Span<const QuantView> weights, View bias) = 0;
    // In place of load, for a rehearsal: memory of this shape without numbers, on a device whose products are rehearsed. bias_fits: whether the bias
    // would be the same numbers in dtype.
    virtual void load_blank(Stream& stream, bool bias_fits);
    virtual void refresh(Stream& stream, View parameters /*(P) f32*/) = 0;
    virtual void replace(Stream& stream, View numbers /*(out, in) f32*/) = 0;
    virtual std::size_t bytes() const = 0;          // held
    virtual std::size_t predict_bytes() const = 0;  // that load will hold for this shape and these adapters

    // rank_begin, rank_total and dora from the adapters.
    void count_ranks();
};

// Checks what an epilogue does to y.
void check_epilogue(View y, const Epilogue& epilogue);

}  // namespace temper
