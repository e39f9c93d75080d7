// A model in the words of GGUF: names of tensors, metadata, and the order of the rows that positions turn.
#pragma once
#include <functional>
#include <string>

#include "io/tensors/gguf_writer.h"
#include "model/config.h"

namespace temper {

// One entry a family that can be written.
struct GgufFamily {
    const char* family;        // config.json's model_type
    const char* architecture;  // general.architecture, and the prefix of the metadata
    // The rows of q and k stand in RoPE pairs, (i, i+1), where Hugging Face keeps the halves apart, (i, i + d/2).
    bool pairs_rows;
    bool states_vocabulary;  // the metadata has vocab_size
};
// usage Error naming the families that can be written.
const GgufFamily& gguf_family(const ModelConfig& config);

// blk.3.attn_q.weight for model.layers.3.self_attn.q_proj.weight; empty for a name that GGUF does not have. Where attention's output has a
// norm, the norm before the feed-forward has another name.
std::string gguf_tensor_name(const std::string& name, bool post_norms);

// The tensor as GGUF orders it, from rows in Hugging Face's order.
void pair_rows(float* weight /*(heads * head_size, columns)*/, std::int64_t heads, std::int64_t head_size, std::int64_t columns);

// general.* and <architecture>.*; `type` is that of the matrices.
GgufMetadata gguf_model_metadata(const ModelConfig& config, GgufStored type);
// What positions' frequencies are divided by: tensor rope_freqs.weight. Empty unless the model's scaling is that of Llama 3.1.
std::vector<float> gguf_rope_divisors(const ModelConfig& config);
// GGUF leaves much to the reader's knowledge of the architecture. usage Error naming the first setting of the model that came back otherwise.
void require_same_settings(const ModelConfig& written, const ModelConfig& meant);

}  // namespace temper
