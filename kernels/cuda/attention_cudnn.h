// Attention by cuDNN, where AttentionRule::library asks for it: attention_cudnn.cpp, or cudnn_absent.cpp in a build without it.
#pragma once
#include <string>

#include "kernels/ops.h"

namespace temper::cuda {

// False, and nothing is done, where cuDNN does not do it: our own kernels compute the same function.
bool cudnn_attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule);
bool cudnn_attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                              Span<const Segment> segments, const AttentionRule& rule);

// Passes that asked for the library, of this process: those that cuDNN took, and those left to our own kernels.
struct LibraryPasses {
    std::int64_t taken = 0, left = 0;
};
LibraryPasses library_passes();
std::string cudnn_version();  // "none" without it

}  // namespace temper::cuda
