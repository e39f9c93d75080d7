// Rotary embedding in place; the inverse rotation is the backward pass.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

// Column: eight pairs of a head, those of the first head first.
template <class T> struct Rotate {
    RowsOf<T> x;
    RowsOf<const float> cosine, sine;
    Global<const std::int32_t> positions;
    int head_size, pairs, steps;  // a head has `steps` times eight pairs, or fewer
    float sign;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const int step = static_cast<int>(column / kEight), i = step % steps * kEight, left = pairs - i;
        const std::int64_t first_at = std::int64_t{step / steps} * head_size + i, second_at = first_at + pairs;
        const std::int32_t position = positions[row];
        const Eight c = cosine.load(position, i, left), s = sine.load(position, i, left);
        Eight first = x.load(row, first_at, left), second = x.load(row, second_at, left);
#pragma unroll
        for (int k = 0; k < kEight; ++k) {
            const float a = first[k], b = second[k], along = s[k] * sign;
            first[k] = a * c[k] - b * along;
            second[k] = b * c[k] + a * along;
        }
        x.store(row, first_at, first, left);
        x.store(row, second_at, second, left);
    }
};

}  // namespace

void rope(Stream& stream, View x, View positions, RopeTable table, bool inverse) {
    const auto head_size = static_cast<int>(x.size(2)), pairs = static_cast<int>(table.cosine.size(1));
    const int steps = static_cast<int>(blocks(pairs, kEight));
    if (steps == 0) return;
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        RowsOf<T> rows = rows_of<T>(x, head_size);
        rows.aligned = rows.aligned && pairs * size_of(x.dtype) % 16 == 0;
        const Rotate<T> rotate = {rows,
                                  rows_of<const float>(table.cosine),
                                  rows_of<const float>(table.sine),
                                  global<const std::int32_t>(positions),
                                  head_size,
                                  pairs,
                                  steps,
                                  inverse ? -1.0f : 1.0f};
        map_rows(stream, rotate, x.size(0), x.size(1) * steps * kEight);
    });
}

}  // namespace temper::cuda
