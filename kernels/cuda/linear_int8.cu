// The linear layer of 8-bit integers. Sums are exact and what follows rounds as on the CPU: the same bits, but for activations. A block takes 64 rows
// and 64 outputs, a thread 4 rows by every 16th of the outputs, 64 depths at a time. Numbers of two bytes are two rows: the bytes above, and those below.
#include <algorithm>
#include <cstring>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/linear_rows.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/scratch.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256, kSide = 64, kOwn = 4;
constexpr int kWords = 16, kStride = kWords + 4;  // 4 bytes each: of a step, and from row to row of a tile, whose packs meet other banks then
constexpr std::int64_t kDepth = 4 * kWords;

struct PlacedInt8 final : Int8Linear::Impl {
    Arena memory;
    View words;  // (out, depth / 4) i32: four bytes a word
    View scale, bias, multipliers;

    int parts() const { return most > 127 ? 2 : 1; }
    std::int64_t row_words() const { return round_up(in, kDepth) / 4; }
    std::size_t bytes() const override { return memory.capacity(); }

    void lay_out(Arena& arena) {
        words = View(arena.take(DType::i32, {out * row_words()}).data, DType::i32, {out, row_words()}, Device::cuda);
        scale = arena.take(DType::f32, {out});
        multipliers = arena.take(DType::f32, {in});
        if (has_bias) bias = arena.take(DType::f32, {out});
    }
    void load(Stream& stream, const Int8Rows& rows, const float* of_input, View bias_values) override {
        Arena count;
        lay_out(count);
        memory = Arena(count.used(), Memory::cuda);
        lay_out(memory);
        const std::size_t row_bytes = static_cast<std::size_t>(row_words()) * 4, width = static_cast<std::size_t>(in);
        std::vector<std::int8_t> padded(static_cast<std::size_t>(out) * row_bytes);
        for (std::size_t o = 0; o < static_cast<std::size_t>(out); ++o)
            std::memcpy(padded.data() + o * row_bytes, rows.values.data() + o * width, width);
        stream.cuda().copy_in(words.data, padded.data(), padded.size());
        stream.cuda().copy_in(scale.data, rows.scales.data(), static_cast<std::size_t>(out) * sizeof(float));
        stream.cuda().copy_in(multipliers.data, of_input, width * sizeof(float));
        if (has_bias) stream.cuda().copy_in(bias.data, bias_values.data, static_cast<std::size_t>(out) * sizeof(float));
        stream.synchronize();  // the host's numbers go
    }
};

__device__ int whole(float value, float multiplier, float most) {
    const float scaled = __fmul_rn(value, multiplier), least = scaled > -most ? scaled : -most;  // a NaN is -most
    return static_cast<int>(rintf(least < most ? least : most));
}

// Eight numbers of x become two words, or two of the bytes above and two of those below.
template <class T> struct Quantize {
    RowsOf<const T> x;
    RowsOf<const float> multipliers;
    Global<std::int32_t> words;
    std::int64_t row_words, width;
    int parts;
    float most;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const Eight numbers = x.load(row, column, width - column), by = multipliers.load(0, column, width - column);
        int whole_numbers[kEight];
#pragma unroll
        for (int i = 0; i < kEight; ++i) whole_numbers[i] = whole(numbers[i], by[i], most);
        for (int part = 0; part < parts; ++part) {
            const bool above = part + 1 < parts;
            Pack<std::int32_t, 2> pair;
#pragma unroll
            for (int w = 0; w < 2; ++w) {
                unsigned word = 0;
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int number = whole_numbers[4 * w + i], byte = above ? (number + 128) >> 8 : number;
                    word |= static_cast<unsigned>(byte & 0xff) << (8 * i);
                }
                pair[w] = static_cast<std::int32_t>(word);
            }
            store_pack(words, (row * parts + part) * row_words + column / 4, pair);
        }
    }
};

template <class T> struct BytesProduct {
    Global<const std::int32_t> x, weight;
    std::int64_t row_words, rows, columns;  // rows: of x
    Global<const float> scale, bias;
    RowsOf<const T> residual;
    RowsOf<T> y;
};

// A step's rows to shared memory: a thread a quarter of one. Rows behind the last are zeros.
__device__ void load_tile(Shared<std::int32_t> tile, Global<const std::int32_t> from, std::int64_t first, std::int64_t rows, std::int64_t row_words,
                          std::int64_t word) {
    const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4 * 4;
    Pack<std::int32_t, 4> pack{};
    if (first + row < rows) pack = load_pack<4>(from, (first + row) * row_words + word + part);
    store_pack(tile, row * kStride + part, pack);
}

template <class T, int Parts> __global__ void __launch_bounds__(kThreads) int8_kernel(BytesProduct<T> p) {
    const auto left = shared<std::int32_t>(0, kSide * kStride), right = shared<std::int32_t>(kSide * kStride * 4, kSide * kStride);
    const std::int64_t first_row = std::int64_t{blockIdx.y} * kSide, first_column = std::int64_t{blockIdx.x} * kSide;
    const int row = static_cast<int>(threadIdx.x) / 16 * kOwn, column = static_cast<int>(threadIdx.x) % 16;
    std::int32_t sums[kOwn][kOwn] = {};
    for (std::int64_t word = 0; word < p.row_words; word += kWords) {
        load_tile(left, p.x, first_row, p.rows, p.row_words, word);
        load_tile(right, p.weight, first_column, p.columns, p.row_words, word);
        __syncthreads();
#pragma unroll
        for (int w = 0; w < kWords; w += 4) {
            Pack<std::int32_t, 4> a[kOwn], b[kOwn];
#pragma unroll
            for (int i = 0; i < kOwn; ++i) {
                a[i] = load_pack<4>(left, (row + i) * kStride + w);
                b[i] = load_pack<4>(right, (column + 16 * i) * kStride + w);
            }
#pragma unroll
            for (int i = 0; i < kOwn; ++i)
#pragma unroll
                for (int j = 0; j < kOwn; ++j)
#pragma unroll
                    for (int k = 0; k < 4; ++k) sums[i][j] = dot_bytes(a[i][k], b[j][k], sums[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kOwn; i += Parts)
#pragma unroll
        for (int j = 0; j < kOwn; ++j) {
            const std::int64_t x_row = first_row + row + i, r = x_row / Parts, c = first_column + column + 16 * j;
            if (x_row >= p.rows || c >= p.columns) continue;
            std::int32_t whole = sums[i][j];
            if constexpr (Parts == 2) whole = static_cast<std::int32_t>((static_cast<unsigned>(whole) << 8) + static_cast<unsigned>(sums[i + 1][j]));
            float sum = __fmul_rn(static_cast<float>(whole), p.scale[c]);
            if (!p.bias.empty()) sum = __fadd_rn(sum, p.bias[c]);
            if (!p.residual.empty()) {
                const T more = p.residual.numbers[r * p.residual.stride + c];
                sum = __fadd_rn(sum, to_float(more));
            }
            p.y.numbers[r * p.y.stride + c] = round_to<T>(sum);
        }
}

}  // namespace

std::unique_ptr<Int8Linear::Impl> make_int8() { return std::make_unique<PlacedInt8>(); }

void linear_int8(Stream& stream, View y, View x, const Int8Linear::Impl& weight, const Epilogue& epilogue) {
    const auto& w = static_cast<const PlacedInt8&>(weight);
    constexpr std::int64_t kMostRows = 65535 * std::int64_t{kSide};  // of a grid's second dimension
    const std::int64_t n = x.size(0), x_rows = n * w.parts(), row_words = w.row_words();
    if (n == 0) return;
    if (x_rows > kMostRows)
        throw_error(ExitCode::internal, "linear: {} rows of 8-bit integers on a CUDA device, expected at most {}", n, kMostRows / w.parts());
    const std::int64_t count = x_rows * row_words;
    const Global<std::int32_t> words(static_cast<std::int32_t*>(stream.scratch(static_cast<std::size_t>(count) * 4)), count);
    const View residual = epilogue.kind == Epilogue::Kind::residual ? epilogue.residual : View();
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const RowsOf<const float> multipliers = rows_of<const float>(w.multipliers);
        map_rows(stream, Quantize<T>{rows_of<const T>(x), multipliers, words, row_words, w.in, w.parts(), static_cast<float>(w.most)}, n, row_words * 4);
        const BytesProduct<T> product = {words,
                                         global<const std::int32_t>(w.words),
                                         row_words,
                                         x_rows,
                                         w.out,
                                         global<const float>(w.scale),
                                         global<const float>(w.bias),
                                         rows_of<const T>(residual),
                                         rows_of<T>(y)};
        launch(stream, w.parts() == 2 ? int8_kernel<T, 2> : int8_kernel<T, 1>, {blocks(w.out, kSide), blocks(x_rows, kSide)}, kThreads,
               2 * kSide * kStride * 4, product);
    });
    finish_epilogue(stream, y, epilogue);
}

}  // namespace temper::cuda
