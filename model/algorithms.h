// What algorithms the matrix products of a decoder follow on a CUDA device (kernels/cuda/algorithms.h).
#pragma once
#include <functional>
#include <string>

#include "kernels/algorithm_table.h"
#include "model/decoder.h"

namespace temper {

struct AlgorithmChoice {
    cuda::AlgorithmTable table;  // of all products of the decoder's passes, and no others
    std::size_t tried = 0;       // that had to be chosen by trial
};

// Choices of `kept` first (a checkpoint's; empty bytes: none), then of this user's cache, the rest by trial, which the cache then has, too. A `kept`
// that is of another library or device is warned of and left alone. Memory that trials take is free again when this returns; to be called before
// there is a decoder.
AlgorithmChoice choose_algorithms(Stream& stream, const ModelConfig& config, const LoraLayout& lora, Decoder::Options options,
                                  const TensorSource& weights, const std::string& kept, const std::function<void(const std::string&)>& warn);

}  // namespace temper
