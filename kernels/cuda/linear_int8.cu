// The linear layer of 8-bit integers. Sums are exact and what follows rounds as on the CPU: the same bits, but for activations. A block takes 64 rows
// and 64 outputs, a thread 4 rows by every 16th of the outputs, 64 depths at a time.
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
    View scale, bias;

    std::int64_t row_words() const { return round_up(in, kDepth) / 4; }
    std::size_t bytes() const override { return memory.capacity(); }

    void lay_out(Arena& arena) {
        words = View(arena.take(DType::i32, {out * row_words()}).data, DType::i32, {out, row_words()}, Device::cuda);
        scale = arena.take(DType::f32, {out});
        if (has_bias) bias = arena.take(DType::f32, {out});
    }
    void load(Stream& stream, const Int8Rows& rows, const float* scales, View bias_values) override {
        Arena count;
        lay_out(count);
        memory = Arena(count.used(), Memory::cuda);
        lay_out(memory);
        const std::size_t row_bytes = static_cast<std::size_t>(row_words()) * 4, width = static_cast<std::size_t>(in);
        std::vector<std::int8_t> padded(static_cast<std::size_t>(out) * row_bytes);
        for (std::size_t o = 0; o < static_cast<std::size_t>(out); ++o)
            std::memcpy(padded.data() + o * row_bytes, rows.values.data() + o * width, width);
        stream.cuda().copy_in(words.data, padded.data(), padded.size());
        stream.cuda().copy_in(scale.data, scales, static_cast<std::size_t>(out) * sizeof(float));
        if (has_bias) stream.cuda().copy_in(bias.data, bias_values.data, static_cast<std::size_t>(out) * sizeof(float));
        stream.synchronize();  // the host's numbers go
    }
};

__device__ int whole(float value, float inverse) {
    const float scaled = __fmul_rn(value, inverse), least = scaled > -127.0f ? scaled : -127.0f;  // a NaN is -127
    return static_cast<int>(rintf(least < 127.0f ? least : 127.0f));
}

// Eight numbers of x become two words.
template <class T> struct Quantize {
    RowsOf<const T> x;
    Global<std::int32_t> words;
    std::int64_t row_words, width;
    float inverse;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const Eight numbers = x.load(row, column, width - column);
        Pack<std::int32_t, 2> pair;
#pragma unroll
        for (int w = 0; w < 2; ++w) {
            unsigned word = 0;
#pragma unroll
            for (int i = 0; i < 4; ++i) word |= static_cast<unsigned>(whole(numbers[4 * w + i], inverse) & 0xff) << (8 * i);
            pair[w] = static_cast<std::int32_t>(word);
        }
        store_pack(words, row * row_words + column / 4, pair);
    }
};

template <class T> struct BytesProduct {
    Global<const std::int32_t> x, weight;
    std::int64_t row_words, rows, columns;
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

template <class T> __global__ void __launch_bounds__(kThreads) int8_kernel(BytesProduct<T> p) {
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
    for (int i = 0; i < kOwn; ++i)
#pragma unroll
        for (int j = 0; j < kOwn; ++j) {
            const std::int64_t r = first_row + row + i, c = first_column + column + 16 * j;
            if (r >= p.rows || c >= p.columns) continue;
            float sum = __fmul_rn(static_cast<float>(sums[i][j]), p.scale[c]);
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
    const std::int64_t n = x.size(0), row_words = w.row_words();
    if (n == 0) return;
    if (n > kMostRows) throw_error(ExitCode::internal, "linear: {} rows of 8-bit integers on a CUDA device, expected at most {}", n, kMostRows);
    const std::int64_t count = n * row_words;
    const Global<std::int32_t> words(static_cast<std::int32_t*>(stream.scratch(static_cast<std::size_t>(count) * 4)), count);
    const View residual = epilogue.kind == Epilogue::Kind::residual ? epilogue.residual : View();
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        map_rows(stream, Quantize<T>{rows_of<const T>(x), words, row_words, w.in, 1.0f / w.input_scale}, n, row_words * 4);
        const BytesProduct<T> product = {words,
                                         global<const std::int32_t>(w.words),
                                         row_words,
                                         n,
                                         w.out,
                                         global<const float>(w.scale),
                                         global<const float>(w.bias),
                                         rows_of<const T>(residual),
                                         rows_of<T>(y)};
        launch(stream, int8_kernel<T>, {blocks(w.out, kSide), blocks(n, kSide)}, kThreads, 2 * kSide * kStride * 4, product);
    });
    finish_epilogue(stream, y, epilogue);
}

}  // namespace temper::cuda
