// The splits of decoding put together, in their order.
#pragma once
#include "kernels/cuda/attention_work.h"

namespace temper::cuda {

template <class T> struct Combine {
    Global<T> out;
    Global<float> lse;  // or empty
    Global<const Segment> segments;
    Global<const SplitRows> rows;
    Global<const float> sums;  // slots of `floats` for each key/value head: tiles of `tile_rows` rows, `width` numbers each
    AttentionShape shape;
    std::int64_t floats;
    std::int32_t tile_rows, width;
};
void launch_combine(Stream& stream, const Combine<float>& arguments, std::int64_t tiles);
void launch_combine(Stream& stream, const Combine<bf16>& arguments, std::int64_t tiles);

}  // namespace temper::cuda
