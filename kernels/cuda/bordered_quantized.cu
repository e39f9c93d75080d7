// A linear whose weight stays quantised in device memory (bordered.h), and the matrix that an op makes of it.
#include <algorithm>
#include <vector>

#include "kernels/cuda/bordered.h"
#include "kernels/cuda/dequantize.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// Eights of a border that go into the matrix, row by row.
template <class T> struct Block {
    Global<const T> from;  // empty: zeros
    std::int64_t from_stride, first_place, eights_a_row, eights;
};

// All that is not W: B, A, and zeros in rows behind the last output.
template <class T>
__global__ void __launch_bounds__(kThreads) fill_borders_kernel(Global<T> matrix, std::int64_t stride, Block<T> b, Block<T> a, Block<T> zeros) {
    std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    Block<T> block = b;
    if (i >= b.eights) {
        i -= b.eights;
        block = a;
        if (i >= a.eights) {
            i -= a.eights;
            block = zeros;
            if (i >= zeros.eights) return;
        }
    }
    const std::int64_t row = i / block.eights_a_row, column = i % block.eights_a_row * kEight;
    Eight numbers{};
    if (!block.from.empty()) numbers = load_whole(block.from, row * block.from_stride + column);
    store_whole(matrix, block.first_place + row * stride + column, numbers);
}

template <class T> void fill_borders(Stream& stream, const Bordered& m, const View& a, const View& b) {
    const std::int64_t stride = m.matrix.row_stride(), width = m.in_padded / kEight, across = m.border / kEight, spare = m.out_padded - m.out;
    const Block<T> of_b{global<const T>(b), b.empty() ? 0 : b.row_stride(), m.in_padded, across, m.out_padded * across};
    const Block<T> of_a{global<const T>(a), a.empty() ? 0 : a.row_stride(), m.out_padded * stride, width, m.border * width};
    const Block<T> zeros{{}, 0, m.out * stride, width, spare * width};
    const std::int64_t all = of_b.eights + of_a.eights + zeros.eights;
    launch(stream, fill_borders_kernel<T>, {blocks(all, kThreads)}, kThreads, 0, global<T>(m.matrix), stride, of_b, of_a, zeros);
}

}  // namespace
}  // namespace cuda

namespace {

std::uint8_t* take_bytes(Arena& arena, std::int64_t bytes) {
    return static_cast<std::uint8_t*>(arena.take(DType::f32, {cuda::padded_count<float>(bytes)}).data);
}
float* take_floats(Arena& arena, std::int64_t count) { return static_cast<float*>(arena.take(DType::f32, {count}).data); }

// Rows of a part that is not quantised lie there as numbers.
std::int64_t stored_bytes(const QuantShape& part, DType dtype) {
    return part.format.quantized() ? part.data_bytes() : part.elements() * size_of(dtype);
}

template <class T> void send(Stream& stream, const T* to, const T* from, std::int64_t count) {
    if (count > 0) stream.cuda().copy_in(const_cast<T*>(to), from, static_cast<std::size_t>(count) * sizeof(T));
}

}  // namespace

// What load_quantized fills.
void BorderedLinear::lay_out_quantized(Arena& arena) {
    quantized_.clear();
    for (const QuantShape& part : parts) {
        QuantView view;
        static_cast<QuantShape&>(view) = part;
        view.data = take_bytes(arena, stored_bytes(part, dtype));
        if (part.format.scaled()) view.scale = take_floats(arena, part.scales());
        if (part.format.block_size > 0) view.map = take_floats(arena, 16);
        if (part.format.nested()) {
            view.absmax_codes = take_bytes(arena, part.blocks());
            view.nested_map = take_floats(arena, 256);
            view.nested_absmax = take_floats(arena, part.nested_blocks());
        } else if (part.format.block_size > 0) view.absmax = take_floats(arena, part.blocks());
        quantized_.push_back(view);
    }
    if (border == 0) return;
    const auto take_border = [&](std::int64_t rows, std::int64_t columns) {
        return View(arena.take(dtype, {rows * columns}).data, dtype, {rows, columns}, Device::cuda);
    };
    a_ = take_border(border, in_padded);
    b_ = take_border(out_padded, border);
}

void BorderedLinear::load_quantized(Stream& stream, Span<const QuantView> weights, View bias_values) {
    allocate(stream, !bias_values.empty());
    load_vectors(stream, bias_values);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const QuantView &from = weights[i], &to = quantized_[i];
        if (from.format.quantized()) {
            send(stream, to.data, from.data, from.data_bytes());
        } else {
            std::vector<std::uint8_t> rows(static_cast<std::size_t>(stored_bytes(from, dtype)));
            dequantize(View(rows.data(), dtype, {from.out, from.in}), from);
            send(stream, to.data, rows.data(), stored_bytes(from, dtype));
            stream.synchronize();  // before the rows go
        }
        const bool four_bits = from.format.block_size > 0, nested = from.format.nested();
        send(stream, to.scale, from.scale, from.scales());
        send(stream, to.map, from.map, four_bits ? 16 : 0);
        send(stream, to.absmax, from.absmax, four_bits && !nested ? from.blocks() : 0);
        send(stream, to.absmax_codes, from.absmax_codes, nested ? from.blocks() : 0);
        send(stream, to.nested_map, from.nested_map, nested ? 256 : 0);
        send(stream, to.nested_absmax, from.nested_absmax, from.nested_blocks());
        quantized_[i].offset = from.offset;
    }
    stream.synchronize();
}

Bordered BorderedLinear::expanded(Stream& stream, View memory) const {
    if (!is_quantized()) return at(matrix_);
    const Bordered result = at(memory);
    std::int64_t row = 0;
    for (const QuantView& part : quantized_) {
        cuda::expand(stream, result.block(row, part.out, 0, in_padded), part);
        row += part.out;
    }
    if (border == 0 && out_padded == out) return result;
    if (dtype == DType::f32) cuda::fill_borders<float>(stream, result, a_, b_);
    else cuda::fill_borders<bf16>(stream, result, a_, b_);
    return result;
}

}  // namespace temper
