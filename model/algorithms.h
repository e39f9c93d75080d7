// What algorithms the matrix products of a model follow on a CUDA device (kernels/cuda/algorithms.h): chosen before its first pass, and the same ones
// in the next process.
#pragma once
#include <functional>
#include <string>

#include "kernels/algorithm_table.h"
#include "model/decoder.h"

namespace temper {

struct AlgorithmChoice {
    cuda::AlgorithmTable table;  // of all products that were rehearsed, and no others
    std::size_t tried = 0;       // that had to be chosen by trial
};
using AlgorithmWarning = std::function<void(const std::string&)>;

// For all products that `work` asks the stream for; it runs once, as a rehearsal. Choices of `kept` first (a checkpoint's; empty bytes: none), then of
// this user's cache, the rest by trial, which the cache then has, too. A `kept` that is of another library or device is warned of and left alone.
// Memory that trials take is free again when this returns.
AlgorithmChoice choose_algorithms(Stream& stream, const std::function<void()>& work, const std::string& kept, const AlgorithmWarning& warn);
// Of the passes of a decoder, which need not be there yet: what it needs of memory is free for trials.
AlgorithmChoice choose_algorithms(Stream& stream, const ModelConfig& config, const LoraLayout& lora, Decoder::Options options,
                                  const TensorSource& weights, const std::string& kept, const AlgorithmWarning& warn);

// The bytes of a choice, warnings logged: for a decoder, for what `work` asks, and for a model of vectors or scores.
std::string chosen_algorithms(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Decoder::Options options);
std::string chosen_algorithms(Stream& stream, const std::function<void()>& work);
template <class Model> std::string chosen_algorithms_of(const Model& model, Stream& stream) {
    return chosen_algorithms(stream, [&] { model.rehearse(stream); });
}

// From now on the stream follows these bytes; on the CPU nothing is chosen. Ranks of a job follow those of rank 0: io/comm/algorithms.h.
void settle_algorithms(Stream& stream, const std::function<std::string()>& choose);

}  // namespace temper
