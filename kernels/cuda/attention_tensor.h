// Attention of bfloat16 on tensor cores: what its kernels are given, and who launches them. Heads are padded to D = 32, 64, 96, 128 or 256 numbers.
#pragma once
#include "kernels/cuda/attention_work.h"

namespace temper::cuda {

constexpr int kForwardKeys = 64;           // keys of a tile of the forward pass, in prefill and in decoding
constexpr int kTensorSplitRows = 16;       // rows of a tile in decoding
constexpr int kResidentBlocks = 2;         // blocks that a multiprocessor holds, by their registers
constexpr std::int64_t kMostPlaces = 384;  // blocks that keep sums of earlier splits
constexpr std::int64_t kept_places(int multiprocessors) {
    return kResidentBlocks * multiprocessors < kMostPlaces ? kResidentBlocks * multiprocessors : kMostPlaces;
}

struct TensorForward {
    Global<const bf16> q, k, v;
    Global<bf16> out;
    Global<float> lse;         // or empty
    Global<const float> bias;  // or empty
    Global<const Segment> segments;
    Global<const RowWork> work;
    Global<float> sums;  // of earlier splits, a place a block; of decoding, a place a slot and key/value head
    AttentionShape shape;
    std::int32_t items = 0;      // pieces of work times key/value heads
    std::int32_t slot_rows = 0;  // rows of a tile that a slot keeps
};

constexpr int tensor_width(int d) { return d <= 32 ? 32 : d <= 64 ? 64 : d <= 96 ? 96 : d <= 128 ? 128 : 256; }
constexpr int forward_rows(int width) { return width <= 128 ? 128 : 64; }
// Floats that a block of prefill keeps of earlier splits: its sums, and two numbers a row.
constexpr std::int64_t kept_floats(int width) { return forward_rows(width) * (width + 8); }

void launch_tensor_forward(Stream& stream, const TensorForward& arguments, std::int64_t blocks);
void launch_tensor_decoding(Stream& stream, const TensorForward& arguments);

}  // namespace temper::cuda
