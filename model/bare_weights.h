// Checkpoints of a decoder alone, as embedding models are often saved (Qwen3-Embedding): tensors lack the "model." of the whole model's names.
#pragma once
#include <memory>

#include "io/tensors/tensor_source.h"

namespace temper {

bool is_bare(const TensorSource& weights);
// Under the names of the whole model.
std::unique_ptr<TensorSource> open_bare(std::unique_ptr<TensorSource> weights);

}  // namespace temper
