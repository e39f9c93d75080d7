// Attention of float32, and of bfloat16 heads that tensor cores do not take, in float32 multiply-adds: what its kernels are given, and who launches them.
#pragma once
#include "kernels/cuda/attention_backward.h"

namespace temper::cuda {

// An Error where a head is wider than 512, or than the device's shared memory takes.
void check_general(const Stream& stream, int d);

template <class T> struct GeneralForward {
    Global<const T> q, k, v;
    Global<T> out;
    Global<float> lse;         // or empty
    Global<const float> bias;  // or empty
    Global<const Segment> segments;
    Global<const RowWork> work;
    Global<float> sums;  // of splits: a place a slot and key/value head
    AttentionShape shape;
    std::int32_t slot_rows = 0;  // rows of a tile that a slot keeps
};

constexpr int general_chunks(int d) { return d <= 64 ? 1 : d <= 128 ? 2 : d <= 256 ? 4 : 8; }  // of 64 numbers
constexpr int general_tile(int chunks) { return chunks <= 2 ? 32 : 16; }                       // rows, and keys, of a tile

template <class T> void launch_general_forward(Stream& stream, const GeneralForward<T>& arguments, std::int64_t items);
template <class T> void launch_general_backward(Stream& stream, const BackwardCall<T>& arguments, std::int64_t row_tiles, std::int64_t key_tiles);

}  // namespace temper::cuda
