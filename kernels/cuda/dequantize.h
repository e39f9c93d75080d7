// Quantised weights in device memory, as they were stored, and their numbers: the bits that kernels/quantized.h gives on the host. Products are
// rounded where it rounds them: no multiply-add is fused.
#pragma once
#include "kernels/quantized.h"
#include "kernels/stream.h"

namespace temper::cuda {

constexpr std::int64_t kQuantAlign = 16;  // arrays of a QuantView here begin at such a multiple and end, with what they may be read over, at one

// All of a weight whose arrays lie in device memory; one that is not quantised has plain rows of to's dtype. Columns behind `in` become zero.
void expand(Stream& stream, View to /*(out, in in whole packs), aligned*/, const QuantView& weight);

// The same of GGUF's blocks.
void expand_blocks(Stream& stream, View to, const QuantView& weight);

// So many elements of such an array, with what follows up to its end.
template <class T> constexpr std::int64_t padded_count(std::int64_t bytes) {
    return (bytes + kQuantAlign - 1) / kQuantAlign * kQuantAlign / static_cast<std::int64_t>(sizeof(T));
}

}  // namespace temper::cuda
