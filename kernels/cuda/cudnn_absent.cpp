// In place of attention_cudnn.cpp in a build without cuDNN.
#include "kernels/cuda/attention_cudnn.h"

namespace temper::cuda {

namespace {

LibraryPasses passes;

bool leave() {
    ++passes.left;
    return false;
}

}  // namespace

bool cudnn_attention(Stream&, View, View, View, View, View, Span<const Segment>, const AttentionRule&) { return leave(); }
bool cudnn_attention_backward(Stream&, View, View, View, View, View, View, View, View, View, Span<const Segment>, const AttentionRule&) {
    return leave();
}
LibraryPasses library_passes() { return passes; }
std::string cudnn_version() { return "none"; }

}  // namespace temper::cuda
