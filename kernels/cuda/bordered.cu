#include "kernels/cuda/bordered.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/move_rows.h"
#include "kernels/cuda/slots.h"

namespace temper {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// blockIdx.y: 2 * slot + 1 where B is rounded, else A. One number a thread.
template <class T>
__global__ void fill_adapters_kernel(Global<T> a, std::int64_t a_stride, Global<T> b, std::int64_t b_stride, Global<const float> parameters,
                                     Global<const Slot> slots, std::int64_t in) {
    const Slot slot = slots[blockIdx.y / 2];
    const bool is_b = blockIdx.y % 2 == 1;
    const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= (is_b ? slot.out_size * slot.rank : slot.rank * in)) return;
    if (is_b) {
        const std::int64_t o = i / slot.rank, r = i % slot.rank;
        b[(slot.out_begin + o) * b_stride + slot.rank_begin + r] = round_to<T>(parameters[slot.offset_b + i]);
    } else {
        const std::int64_t r = i / in, k = i % in;
        a[(slot.rank_begin + r) * a_stride + k] = round_to<T>(parameters[slot.offset_a + i]);
    }
}

constexpr int kScaleRows = 8;  // of W, in one block: each number of A is read once for all of them

// Length of rows of W + scale B A, numbers in float32, their squares in double, in an order that the width alone decides.
template <class T>
__global__ void column_scales_kernel(Global<float> norm, Global<float> column_scale, Global<const T> matrix, std::int64_t stride,
                                     Global<const float> parameters, Slot slot, std::int64_t in) {
    Shared<double> sums = shared<double>(0, kThreads);
    const std::int64_t first = std::int64_t{blockIdx.x} * kScaleRows;
    const int rows = static_cast<int>(min(std::int64_t{kScaleRows}, slot.out_size - first));
    double squares[kScaleRows] = {};
    for (std::int64_t k = threadIdx.x; k < in; k += kThreads) {
        float along[kScaleRows] = {};
        for (std::int64_t r = 0; r < slot.rank; ++r) {
            const float a = parameters[slot.offset_a + r * in + k];
#pragma unroll
            for (int j = 0; j < kScaleRows; ++j) {
                if (j >= rows) continue;
                const float b = parameters[slot.offset_b + (first + j) * slot.rank + r];
                along[j] = __fmaf_rn(b, a, along[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < kScaleRows; ++j) {
            if (j >= rows) continue;
            const T w = matrix[(slot.out_begin + first + j) * stride + k];
            const double number = static_cast<double>(__fmaf_rn(slot.scale, along[j], to_float(w)));
            squares[j] += number * number;
        }
    }
#pragma unroll
    for (int j = 0; j < kScaleRows; ++j) {
        __syncthreads();
        sums[static_cast<int>(threadIdx.x)] = squares[j];
        __syncthreads();
        for (int half = kThreads / 2; half > 0; half /= 2) {
            const int t = static_cast<int>(threadIdx.x);
            if (t < half) {
                const double other = sums[t + half];
                sums[t] += other;
            }
            __syncthreads();
        }
        if (threadIdx.x > 0 || j >= rows) continue;
        const double total = sums[0];
        const float length = static_cast<float>(sqrt(total));
        const std::int64_t column = slot.out_begin + first + j;
        norm[column] = length;
        // A row of zeros stays one, whatever its magnitude.
        const float magnitude = parameters[slot.offset_m + first + j];
        column_scale[column] = length > 0.0f ? magnitude / length : 0.0f;
    }
}

}  // namespace
}  // namespace cuda

namespace {

using cuda::global;
using cuda::round_up;

constexpr std::int64_t kStagedBytes = std::int64_t{32} << 20;  // of the host's rows on their way

View take_vector(Arena& arena, DType dtype, std::int64_t count) { return arena.take(dtype, {count}); }

void copy_in(Stream& stream, const View& to, const void* from) {
    stream.cuda().copy_in(to.data, from, static_cast<std::size_t>(to.elements() * size_of(to.dtype)));
}

// Rows of the host, through `staged` where they are to lie apart.
void load_rows(Stream& stream, const View& to, const View& from, void* memory, std::int64_t staged_rows) {
    const std::int64_t row_bytes = from.size(1) * size_of(from.dtype), stride_bytes = from.row_stride() * size_of(from.dtype);
    const bool direct = to.row_stride() == to.size(1);
    for (std::int64_t first = 0; first < from.size(0); first += staged_rows) {
        const std::int64_t rows = std::min(staged_rows, from.size(0) - first);
        const View target = to.rows(first, rows), staged(direct ? target.data : memory, to.dtype, {rows, to.size(1)}, Device::cuda);
        const char* const source = static_cast<const char*>(from.data) + first * stride_bytes;
        const std::int64_t pieces = stride_bytes == row_bytes ? 1 : rows, piece_bytes = rows / pieces * row_bytes;
        for (std::int64_t i = 0; i < pieces; ++i)
            stream.cuda().copy_in(static_cast<char*>(staged.data) + i * piece_bytes, source + i * stride_bytes,
                                  static_cast<std::size_t>(piece_bytes));
        if (!direct) cuda::move_rows(stream, target, staged);
    }
}

}  // namespace

View Bordered::block(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) const {
    View part = matrix;
    part.data = static_cast<char*>(matrix.data) + (row * matrix.row_stride() + column) * size_of(matrix.dtype);
    part.shape[0] = rows;
    part.shape[1] = columns;
    return part;
}

void BorderedLinear::lay_out(Arena& arena) {
    count_ranks();
    in_padded = round_up(in, cuda::kRowPack);
    out_padded = round_up(out, cuda::kRowPack);
    border = round_up(rank_total, cuda::kRowPack);
    if (is_quantized()) lay_out_quantized(arena);
    else {
        const std::int64_t rows = out_padded + border, columns = in_padded + border;
        matrix_ = View(arena.take(dtype, {rows * columns}).data, dtype, {rows, columns}, Device::cuda);
        a_ = at(matrix_).a();
        b_ = at(matrix_).b();
    }
    if (has_bias) bias = take_vector(arena, DType::f32, out);
    if (has_bias && dtype == DType::bf16) rounded_bias = take_vector(arena, dtype, out);
    if (border > 0) scales = take_vector(arena, DType::f32, border);
    if (!dora) return;
    norm = take_vector(arena, DType::f32, out);
    column_scale = take_vector(arena, DType::f32, out);
}

std::size_t BorderedLinear::predict_bytes() const {
    BorderedLinear shape;
    static_cast<PreparedLinear::Impl&>(shape) = *this;
    Arena count;
    shape.lay_out(count);
    return count.used();
}

void BorderedLinear::allocate(Stream& stream, bool with_bias) {
    has_bias = with_bias;
    Arena count;
    lay_out(count);
    memory_ = Arena(count.used(), Memory::cuda);
    lay_out(memory_);
    stream.cuda().fill_zero(memory_.data(), memory_.capacity());
}

void BorderedLinear::load_blank(Stream& stream, bool fits) {
    allocate(stream, has_bias);
    bias_fits = fits;
}

void BorderedLinear::load(Stream& stream, Span<const View> weights, View bias_values) {
    allocate(stream, !bias_values.empty());
    load_vectors(stream, bias_values);
    const std::int64_t row_bytes = in * size_of(dtype), staged_rows = std::max<std::int64_t>(1, kStagedBytes / row_bytes);
    const bool direct = matrix_.row_stride() == in;
    // Of its own, and not the stream's scratch, which would keep it.
    const Arena staged(direct ? 0 : static_cast<std::size_t>(std::min(staged_rows, out) * row_bytes), Memory::cuda);
    std::int64_t row = 0;
    for (const View& part : weights) {
        load_rows(stream, at(matrix_).block(row, part.size(0), 0, in), part, staged.data(), staged_rows);
        row += part.size(0);
    }
    stream.synchronize();  // before what was staged goes
}

void BorderedLinear::load_vectors(Stream& stream, View bias_values) {
    if (has_bias) load_bias(stream, bias_values.as<float>());
    load_scales(stream);
}

void BorderedLinear::load_bias(Stream& stream, const float* values) {
    copy_in(stream, bias, values);
    bias_fits = true;
    if (dtype == DType::f32) return;
    std::vector<bf16> rounded(static_cast<std::size_t>(out));
    for (std::size_t i = 0; i < rounded.size(); ++i) {
        rounded[i] = to_bf16(values[i]);
        bias_fits = bias_fits && from_bf16(rounded[i]) == values[i];
    }
    copy_in(stream, rounded_bias, rounded.data());
}

void BorderedLinear::load_scales(Stream& stream) {
    if (border == 0) return;
    std::vector<float> values(static_cast<std::size_t>(border), 0.0f);
    for (std::size_t i = 0; i < adapters.size(); ++i) std::fill_n(values.begin() + rank_begin[i], adapters[i].rank, adapters[i].scale);
    copy_in(stream, scales, values.data());
    if (!dora) return;
    values.assign(static_cast<std::size_t>(out), 1.0f);
    copy_in(stream, norm, values.data());
    copy_in(stream, column_scale, values.data());
}

void BorderedLinear::refresh(Stream& stream, View parameters) {
    if (border == 0) return;
    fill_adapters(stream, parameters);
    if (dora) fill_column_scales(stream, parameters);
}

void BorderedLinear::fill_adapters(Stream& stream, View parameters) {
    const std::vector<cuda::Slot> slots = cuda::slots_of(*this);
    std::int64_t most = 0;
    for (const cuda::Slot& slot : slots) most = std::max({most, slot.rank * in, slot.out_size * slot.rank});
    const cuda::Grid grid{cuda::blocks(most, cuda::kThreads), 2 * static_cast<std::int64_t>(slots.size())};
    const auto table = cuda::upload(stream, Span<const cuda::Slot>(slots));
    if (dtype == DType::f32)
        cuda::launch(stream, cuda::fill_adapters_kernel<float>, grid, cuda::kThreads, 0, global<float>(a_), a_.row_stride(), global<float>(b_),
                     b_.row_stride(), global<const float>(parameters), table, in);
    else
        cuda::launch(stream, cuda::fill_adapters_kernel<bf16>, grid, cuda::kThreads, 0, global<bf16>(a_), a_.row_stride(), global<bf16>(b_),
                     b_.row_stride(), global<const float>(parameters), table, in);
}

void BorderedLinear::fill_column_scales(Stream& stream, View parameters) {
    constexpr int kShared = cuda::kThreads * static_cast<int>(sizeof(double));
    const View matrix = expanded(stream, cuda::take_scratch<MatrixWork>(stream, *this).matrix).matrix;
    for (const cuda::Slot& slot : cuda::slots_of(*this)) {
        if (slot.offset_m < 0) continue;
        const cuda::Grid grid{cuda::blocks(slot.out_size, cuda::kScaleRows)};
        if (dtype == DType::f32)
            cuda::launch(stream, cuda::column_scales_kernel<float>, grid, cuda::kThreads, kShared, global<float>(norm), global<float>(column_scale),
                         global<const float>(matrix), matrix.row_stride(), global<const float>(parameters), slot, in);
        else
            cuda::launch(stream, cuda::column_scales_kernel<bf16>, grid, cuda::kThreads, kShared, global<float>(norm), global<float>(column_scale),
                         global<const bf16>(matrix), matrix.row_stride(), global<const float>(parameters), slot, in);
    }
}

void BorderedLinear::replace(Stream& stream, View numbers) { cuda::move_rows(stream, at(matrix_).weight(), numbers); }

}  // namespace temper
