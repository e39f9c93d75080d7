// The linear layer of 8-bit integers: rows of the input become integers, then blocks of them are multiplied.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/encoder_rows.h"
#include "kernels/cpu/gemm_int8.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"

namespace temper::cpu {
namespace {

struct PackedInt8 final : Int8Linear::Impl {
    Arena memory;
    std::int8_t* panels = nullptr;
    std::int32_t* offsets = nullptr;
    float *scale = nullptr, *bias = nullptr, *multipliers = nullptr;

    std::int64_t depth() const { return round_up(in, kByteStep); }
    std::size_t bytes() const override { return memory.capacity(); }

    void lay_out(Arena& arena) {
        const std::int64_t columns = panels_of(out) * kPanelColumns;
        panels = static_cast<std::int8_t*>(arena.take(DType::i32, {columns * depth() / 4}).data);
        offsets = static_cast<std::int32_t*>(arena.take(DType::i32, {columns}).data);
        scale = static_cast<float*>(arena.take(DType::f32, {columns}).data);
        multipliers = static_cast<float*>(arena.take(DType::f32, {in}).data);
        if (has_bias) bias = static_cast<float*>(arena.take(DType::f32, {out}).data);
    }
    void load(Stream&, const Int8Rows& rows, const float* of_input, View bias_values) override {
        Arena count;
        lay_out(count);
        memory = Arena(count.used());
        lay_out(memory);
        const std::int64_t columns = panels_of(out) * kPanelColumns;
        std::memset(panels, 0, static_cast<std::size_t>(columns * depth()));
        std::fill_n(offsets, columns, 0);
        std::fill_n(scale, columns, 0.0f);
        const std::uint32_t more = most > 127 ? 128 * 256 + 128 : 128;  // in both bytes of a number, or in the one
        for (std::int64_t o = 0; o < out; ++o) {
            std::uint32_t offset = 0;  // of which the lowest 32 bits count
            std::int8_t* const column = panels + o / kPanelColumns * kPanelColumns * depth() + o % kPanelColumns * 4;
            for (std::int64_t k = 0; k < in; ++k) {
                const std::int8_t value = rows.values[static_cast<std::size_t>(o * in + k)];
                column[k / 4 * 4 * kPanelColumns + k % 4] = value;
                offset += more * static_cast<std::uint32_t>(value);
            }
            offsets[o] = static_cast<std::int32_t>(offset);
            scale[o] = rows.scales[static_cast<std::size_t>(o)];
        }
        std::memcpy(multipliers, of_input, static_cast<std::size_t>(in) * sizeof(float));
        if (has_bias) std::memcpy(bias, bias_values.as<float>(), static_cast<std::size_t>(out) * sizeof(float));
    }
};

template <class T> void multiply(const Int8Kernels& kernels, const GemmInt8<T>& block) {
    if constexpr (sizeof(T) == sizeof(float)) kernels.gemm_f32(block);
    else kernels.gemm_bf16(block);
}

template <class T> void quantize(const Int8Kernels& kernels, std::uint8_t* to, const T* x, const PackedInt8& w) {
    if constexpr (sizeof(T) == sizeof(float)) kernels.quantize_f32(to, x, w.multipliers, w.in, w.depth(), w.most);
    else kernels.quantize_bf16(to, x, w.multipliers, w.in, w.depth(), w.most);
}

template <class T> void run(Stream& stream, View y, View x, const PackedInt8& w, const Epilogue& epilogue) {
    const Isa isa = stream.isa();
    const Int8Kernels& kernels = int8_kernels(isa);
    const std::int64_t n = x.size(0), a_bytes = w.depth() * kernels.number_bytes, row_bytes = a_bytes * kernels.parts(w.most),
                       panels = panels_of(w.out);
    const Partition partition(stream, n, row_bytes / 2);  // which counts in bfloat16
    auto* const numbers = static_cast<std::uint8_t*>(stream.scratch(static_cast<std::size_t>(n * row_bytes)));
    const bool maps = epilogue.kind == Epilogue::Kind::pointwise, adds = epilogue.kind == Epilogue::Kind::residual;

    GemmInt8<T> product;
    product.columns = w.out;
    product.depth = w.depth();
    product.parts = kernels.parts(w.most);
    product.a_bytes = a_bytes;
    product.panels = w.panels;
    product.offsets = w.offsets;
    product.scale = w.scale;
    product.bias = w.bias;
    product.out_stride = y.row_stride();
    if (adds) product.residual_stride = epilogue.residual.row_stride();
    const auto function = encoder_rows<T>(isa).pointwise[static_cast<std::size_t>(epilogue.function)];
    const auto fill = [&](Range rows) {
        for (std::int64_t row = rows.begin; row < rows.end; ++row) quantize(kernels, numbers + row * row_bytes, x.row<T>(row), w);
    };
    const auto part = [&](Range rows, Range some) {
        GemmInt8<T> block = product;
        block.rows = rows.size();
        block.a = numbers + rows.begin * row_bytes;
        block.out = y.row<T>(rows.begin);
        if (adds) block.residual = epilogue.residual.row<T>(rows.begin);
        for (std::int64_t panel = some.begin; panel < some.end; panel = block.panel_end) {
            block.panel_begin = panel;
            block.panel_end = maps ? std::min(some.end, panel + kMappedPanels) : some.end;
            multiply(kernels, block);
            const std::int64_t first = panel * kPanelColumns, count = std::min(w.out, block.panel_end * kPanelColumns) - first;
            for (std::int64_t row = rows.begin; maps && row < rows.end; ++row) function(y.row<T>(row) + first, count);
        }
    };
    const auto finish = [&](Range rows) {
        if (!maps) finish_rows(isa, y, epilogue, rows);
    };
    if (partition.groups == 1)
        return parallel_for(stream, partition.blocks, [&](std::int64_t block) {
            const Range rows = partition.rows_of(block);
            fill(rows);
            part(rows, {0, panels});
            finish(rows);
        });
    parallel_for(stream, partition.blocks, [&](std::int64_t block) { fill(partition.rows_of(block)); });
    parallel_for(stream, partition.blocks * partition.groups,
                 [&](std::int64_t item) { part(partition.rows_of(item / partition.groups), partition.panels_of(item % partition.groups, panels)); });
    parallel_for(stream, partition.blocks, [&](std::int64_t block) { finish(partition.rows_of(block)); });
}

}  // namespace

std::unique_ptr<Int8Linear::Impl> make_int8() { return std::make_unique<PackedInt8>(); }

void linear_int8(Stream& stream, View y, View x, const Int8Linear::Impl& weight, const Epilogue& epilogue) {
    const auto& packed = static_cast<const PackedInt8&>(weight);
    if (x.dtype == DType::f32) run<float>(stream, y, x, packed, epilogue);
    else run<bf16>(stream, y, x, packed, epilogue);
}

}  // namespace temper::cpu
