// Weights that stay quantised in memory: which, and where their quantised form comes from.
#pragma once
#include <memory>
#include <string>

#include "io/tensors/tensor_source.h"
#include "kernels/tensor.h"
#include "model/config.h"

namespace temper {

// In the terms of transformers' BitsAndBytesConfig.
struct Quantization {
    bool load_in_4bit = false;    // the linear layers of the blocks to NF4, as they are read
    bool double_quant = false;    // and their absmax to 8 bits
    bool keep_quantized = false;  // blocks of a GGUF file stay as they are
    DType dtype = DType::bf16;    // what load_in_4bit and load_in_fp8 round to before they quantise: the dtype of the run
    bool load_in_fp8 = false;     // the linear layers of the blocks to 8-bit floats with a scale a row, as they are read
};

// `weights`, the linear layers of the blocks quantised to NF4 or 8-bit floats while they are read; those that are quantised already stay as they are.
std::unique_ptr<TensorSource> quantize_while_reading(std::unique_ptr<TensorSource> weights, const ModelConfig& config, const Quantization& how);

// Whether a directory's weights were quantised by bitsandbytes to 4 bits.
bool is_bitsandbytes(const TensorSource& weights);
// The weights of such a directory under their own names: `X.weight` for the tensors X.weight, X.weight.absmax, X.weight.quant_map,
// X.weight.quant_state.bitsandbytes__nf4 and, with double quantisation, X.weight.nested_absmax and X.weight.nested_quant_map.
std::unique_ptr<TensorSource> open_bitsandbytes(std::unique_ptr<TensorSource> weights);

// Whether some of a directory's weights are 8-bit floats.
bool is_fp8(const TensorSource& weights);
// The weights of such a directory: X.weight of F8_E4M3 times X.weight_scale, one number or one a row (compressed-tensors, FBGEMM, ModelOpt), or
// X.weight_scale_inv, one for 128 x 128 numbers (fine-grained). Scales of activations and of the KV cache are left out: these are not quantised.
std::unique_ptr<TensorSource> open_fp8(std::unique_ptr<TensorSource> weights);

// A tensor that is not quantised, kept as it is stored where others of its stack are.
QuantFormat plain_format(const TensorInfo* tensor);

}  // namespace temper
