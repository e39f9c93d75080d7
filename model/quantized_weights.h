// Weights that stay quantised in memory: which, and where their quantised form comes from.
#pragma once
#include <memory>
#include <string>

#include "io/tensor_source.h"
#include "kernels/tensor.h"
#include "model/config.h"

namespace temper {

// In the terms of transformers' BitsAndBytesConfig.
struct Quantization {
    bool load_in_4bit = false;    // the linear layers of the blocks to NF4, as they are read
    bool double_quant = false;    // and their absmax to 8 bits
    bool keep_quantized = false;  // blocks of a GGUF file stay as they are
    DType dtype = DType::bf16;    // what load_in_4bit rounds to before it quantises: the dtype of the run
};

// `weights`, the linear layers of the blocks quantised to NF4 while they are read; those that are quantised already stay as they are.
std::unique_ptr<TensorSource> quantize_while_reading(std::unique_ptr<TensorSource> weights, const ModelConfig& config, const Quantization& how);

// Whether a directory's weights were quantised by bitsandbytes to 4 bits.
bool is_bitsandbytes(const TensorSource& weights);
// The weights of such a directory under their own names: `X.weight` for the tensors X.weight, X.weight.absmax, X.weight.quant_map,
// X.weight.quant_state.bitsandbytes__nf4 and, with double quantisation, X.weight.nested_absmax and X.weight.nested_quant_map.
std::unique_ptr<TensorSource> open_bitsandbytes(std::unique_ptr<TensorSource> weights);

}  // namespace temper
