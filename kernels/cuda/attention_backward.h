// What the kernels of backward attention are given, whichever they are.
#pragma once
#include "kernels/cuda/attention_work.h"

namespace temper::cuda {

// Of a row and head, in the order that rows of a tile have: (key/value head, token, head of the group).
struct RowStatistics {
    float lse, delta;  // lse in powers of two
};

template <class T> struct BackwardCall {
    Global<const T> q, k, v, d_out;
    Global<T> d_q, d_k, d_v;
    Global<const float> statistics;  // RowStatistics as pairs
    Global<const Segment> segments;
    Global<const RowWork> rows;
    Global<const KeyWork> keys;
    Global<const Visit> visits;
    AttentionShape shape;  // out_stride is that of d_out
    std::int64_t tokens, d_q_stride, d_k_stride, d_v_stride;
};

}  // namespace temper::cuda
