// 4-bit weights and 8-bit floats, eight numbers a thread at a time: a warp reads 128 or 256 bytes and writes 512 without gaps. What an eight needs
// is read for several of them before the first is written.
#include "kernels/cuda/dequantize.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/move_rows.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256, kAhead = 4, kNibbles = 16, kCodes = 256;

__device__ std::uint32_t byte_of(Global<const std::uint32_t> words, std::int64_t index) {
    return words[index / 4] >> (8 * static_cast<unsigned>(index % 4)) & 255u;
}

struct FourBits {
    Global<const std::uint32_t> data;  // 8 numbers a word
    Global<const float> map, absmax;
    Global<const std::uint32_t> codes;  // with double quantisation; then absmax is empty
    Global<const float> nested_map, nested_absmax;
    float offset;
    int block_shift, nested_shift;

    static constexpr int kSharedBytes = (kNibbles + kCodes) * static_cast<int>(sizeof(float));
    struct Raw {
        std::uint32_t word;
        float absmax;
    };

    __device__ static Shared<float> values() { return shared<float>(0, kNibbles); }
    __device__ static Shared<float> code_values() { return shared<float>(kNibbles * static_cast<int>(sizeof(float)), kCodes); }
    // 16 values lie in 16 banks.
    __device__ void prepare() const {
        const int i = static_cast<int>(threadIdx.x);
        if (i < kNibbles) values()[i] = map[i];
        if (!codes.empty()) code_values()[i] = nested_map[i];
    }
    __device__ float absmax_of(std::int64_t block) const {
        if (codes.empty()) return absmax[block];
        const float value = code_values()[static_cast<int>(byte_of(codes, block))];
        return __fadd_rn(__fmul_rn(value, nested_absmax[block >> nested_shift]), offset);
    }
    __device__ Raw load(std::int64_t /*row*/, std::int64_t /*column*/, std::int64_t index) const {
        return {data[index / kEight], absmax_of(index >> block_shift)};
    }
    // The first of two numbers in a byte is its upper nibble.
    __device__ static float value(std::uint32_t word, int i) {
        return values()[static_cast<int>(word >> (8 * (i / 2) + (i % 2 == 0 ? 4 : 0)) & 15u)];
    }
    __device__ Eight decode(const Raw& raw) const {
        Eight eight;
#pragma unroll
        for (int i = 0; i < kEight; ++i) eight[i] = __fmul_rn(value(raw.word, i), raw.absmax);
        return eight;
    }
    __device__ float number(std::int64_t /*row*/, std::int64_t /*column*/, std::int64_t index) const {
        return __fmul_rn(value(data[index / kEight], static_cast<int>(index % kEight)), absmax_of(index >> block_shift));
    }
};

struct ScaledFloats {
    Global<const std::uint32_t> data;  // 4 numbers a word
    Global<const float> scale;
    std::int32_t scale_rows, scale_columns, scales_a_row;

    static constexpr int kSharedBytes = 0;
    struct Raw {
        std::uint32_t low, high;
        float scale;
    };

    __device__ void prepare() const {}
    __device__ float scale_of(std::int64_t row, std::int64_t column) const {
        const std::int64_t line = static_cast<std::int32_t>(row) / scale_rows;
        return scale[line * scales_a_row + static_cast<std::int32_t>(column) / scale_columns];
    }
    __device__ Raw load(std::int64_t row, std::int64_t column, std::int64_t index) const {
        const Pack<std::uint32_t, 2> words = load_pack<2>(data, index / 4);
        return {words[0], words[1], scale_of(row, column)};
    }
    // from_f8 of kernels/fp8.h.
    __device__ static float value(std::uint32_t stored) {
        const std::uint32_t magnitude = stored & 127u;
        std::uint32_t bits = __float_as_uint(static_cast<float>(static_cast<int>(magnitude)) * 0x1p-9f);
        if (magnitude >= 8u) bits = (magnitude << 20) + (120u << 23);
        if (magnitude == 127u) bits = 0x7fc00000u;
        return __uint_as_float(bits | (stored & 128u) << 24);
    }
    __device__ Eight decode(const Raw& raw) const {
        Eight eight;
#pragma unroll
        for (int i = 0; i < kEight; ++i) eight[i] = __fmul_rn(value((i < 4 ? raw.low : raw.high) >> (8 * (i % 4))), raw.scale);
        return eight;
    }
    __device__ float number(std::int64_t row, std::int64_t column, std::int64_t index) const {
        return __fmul_rn(value(byte_of(data, index)), scale_of(row, column));
    }
};

// Rows of whole eights.
template <class T, class Format>
__global__ void __launch_bounds__(kThreads)
    expand_kernel(Global<T> to, std::int64_t stride, Format format, std::uint32_t eights, std::uint32_t eights_a_row) {
    format.prepare();
    __syncthreads();
    const std::uint32_t first = blockIdx.x * (kThreads * kAhead) + threadIdx.x;
    typename Format::Raw raw[kAhead];
    std::int64_t place[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
        const std::uint32_t eight = first + static_cast<std::uint32_t>(a) * kThreads;
        if (eight >= eights) continue;
        const std::int64_t row = eight / eights_a_row, column = std::int64_t{eight % eights_a_row} * kEight;
        place[a] = row * stride + column;
        raw[a] = format.load(row, column, std::int64_t{eight} * kEight);
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a)
        if (first + static_cast<std::uint32_t>(a) * kThreads < eights) store_whole(to, place[a], format.decode(raw[a]));
}

// Rows that end inside an eight, or eights with several scales: number by number.
template <class T, class Format> struct ExpandUneven {
    RowsOf<T> to;
    Format format;
    std::int64_t in;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        Eight eight;
#pragma unroll
        for (int i = 0; i < kEight; ++i) eight[i] = column + i < in ? format.number(row, column + i, row * in + column + i) : 0.0f;
        to.store(row, column, eight, kEight);
    }
};

template <class Body> __global__ void __launch_bounds__(kThreads) uneven_kernel(Body body, std::int64_t rows, std::int64_t steps) {
    body.format.prepare();
    __syncthreads();
    const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i < rows * steps) body(i / steps, i % steps * kEight);
}

template <class T, class Format> void expand_any(Stream& stream, const View& to, const QuantView& w, const Format& format, bool even) {
    if (!even) {
        const std::int64_t steps = to.size(1) / kEight;
        const ExpandUneven<T, Format> body{rows_of<T>(to), format, w.in};
        return launch(stream, uneven_kernel<ExpandUneven<T, Format>>, {blocks(w.out * steps, kThreads)}, kThreads, Format::kSharedBytes, body, w.out,
                      steps);
    }
    const std::int64_t eights = w.elements() / kEight;
    launch(stream, expand_kernel<T, Format>, {blocks(eights, kThreads * kAhead)}, kThreads, Format::kSharedBytes, global<T>(to), to.row_stride(),
           format, static_cast<std::uint32_t>(eights), static_cast<std::uint32_t>(w.in / kEight));
}

template <class Format> void expand_as(Stream& stream, const View& to, const QuantView& w, const Format& format, bool even) {
    if (to.dtype == DType::f32) expand_any<float>(stream, to, w, format, even);
    else expand_any<bf16>(stream, to, w, format, even);
}

int shift_of(std::int64_t size) {
    int shift = 0;
    while ((std::int64_t{1} << shift) < size) ++shift;
    if ((std::int64_t{1} << shift) != size || size < kEight)
        throw_error(ExitCode::internal, "a 4-bit weight has blocks of {}, expected a power of two from {}", size, kEight);
    return shift;
}

Global<const std::uint32_t> words(const std::uint8_t* bytes, std::int64_t count) {
    return {reinterpret_cast<const std::uint32_t*>(bytes), padded_count<std::uint32_t>(count)};
}

void expand_four_bits(Stream& stream, const View& to, const QuantView& w) {
    FourBits format{};
    format.data = words(w.data, w.data_bytes());
    format.map = {w.map, kNibbles};
    format.block_shift = shift_of(w.format.block_size);
    if (w.format.nested()) {
        format.codes = words(w.absmax_codes, w.blocks());
        format.nested_map = {w.nested_map, kCodes};
        format.nested_absmax = {w.nested_absmax, w.nested_blocks()};
        format.offset = w.offset;
        format.nested_shift = shift_of(w.format.nested_block);
    } else format.absmax = {w.absmax, w.blocks()};
    expand_as(stream, to, w, format, w.in % kEight == 0);
}

void expand_scaled(Stream& stream, const View& to, const QuantView& w) {
    const auto count = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    const ScaledFloats format{
        words(w.data, w.data_bytes()), {w.scale, w.scales()}, count(w.format.scale_rows), count(w.format.scale_columns), count(w.scales_a_row())};
    expand_as(stream, to, w, format, w.in % kEight == 0 && (w.format.scale_columns % kEight == 0 || w.format.scale_columns >= w.in));
}

}  // namespace

void expand(Stream& stream, View to, const QuantView& w) {
    if (!w.format.quantized()) {
        const View rows(const_cast<std::uint8_t*>(w.data), to.dtype, {w.out, w.in}, Device::cuda);
        return move_rows(stream, to, rows);
    }
    if (w.elements() / kEight > 0xffffffffll - kThreads * kAhead)
        throw_error(ExitCode::internal, "a quantised weight is ({}, {}), expected at most 2^35 numbers", w.out, w.in);
    if (w.format.scaled()) expand_scaled(stream, to, w);
    else if (w.format.encoding == nullptr) expand_four_bits(stream, to, w);
    else expand_blocks(stream, to, w);
}

}  // namespace temper::cuda
