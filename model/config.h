// What a model is, read from config.json (transformers 4 and 5) or GGUF metadata. Fields that would change the arithmetic and are not
// understood are refused by name: a wrong model is worse than none. docs/models.md is the table of what is supported.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/tensors/gguf.h"

namespace temper {

// How positions turn the heads beyond theta: frequencies stretched, and cosines and sines multiplied by attention_factor.
struct RopeScaling {
    enum class Kind { none, linear, llama3, yarn, longrope } kind = Kind::none;
    double factor = 1.0;
    double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
    std::int64_t original_max_position_embeddings = 8192;  // llama3, yarn, longrope
    double attention_factor = 1.0;                         // yarn, longrope
    double beta_fast = 32.0, beta_slow = 1.0;              // yarn
    bool truncate = true;                                  // yarn: the range of blended frequencies is widened to whole ones
    std::vector<double> short_factor, long_factor;         // longrope: a divisor a frequency
};

enum class Activation { silu, gelu_tanh };

struct ModelConfig {
    std::string family;  // config.json's model_type: llama, mistral, qwen2, qwen3, phi3, gemma, gemma2, gemma3_text
    std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, layers = 0;
    std::int64_t heads = 0, key_value_heads = 0, head_size = 0;
    std::int64_t max_position_embeddings = 0;
    double rms_norm_eps = 1e-6;
    bool tied_head = false;
    std::vector<std::int32_t> eos_ids;  // generation stops at any of these

    double rope_theta = 10000.0;
    RopeScaling rope_scaling;
    std::int64_t rotary_size = 0;     // numbers of a head that positions turn, the first ones; as a rule head_size
    double local_rope_theta = 0.0;    // of layers with a window, which are not scaled; 0: as the others
    std::int64_t sliding_window = 0;  // of the layers marked below: a token sees the last so many, itself included
    std::vector<bool> sliding_layers;

    bool qkv_bias = false, output_bias = false, mlp_bias = false;
    bool fused_qkv = false, fused_gate_up = false;  // qkv_proj, gate_up_proj are one layer each
    bool qk_norm = false;                           // RMS norm of every head of q and k
    bool post_norms = false;                        // RMS norm of what attention and feed-forward give, before the residual is added
    bool norm_plus_one = false;                     // norm weights are stored less 1
    Activation activation = Activation::silu;
    double embedding_scale = 1.0;
    double attention_scale = 0.0;  // of q k^T; 0: 1 / sqrt(head_size)
    double attention_softcap = 0.0, logit_softcap = 0.0;

    std::int64_t qkv_size() const { return (heads + 2 * key_value_heads) * head_size; }
    std::int64_t attention_size() const { return heads * head_size; }
    std::int64_t window(std::int64_t layer) const;  // 0: none
    // Weights in matrix multiplications, embedding lookup excluded, head included once: the N + Nh of the FLOP model.
    std::int64_t body_parameters() const;
    std::int64_t head_parameters() const { return vocab_size * hidden_size; }
    std::int64_t parameters() const;  // all distinct weights
};

// bad_data opening with `place` when the sizes do not go together or a constant is none that a model can have.
void check_model_config(const ModelConfig& config, const std::string& place);
// Adds an end token once; bad_data opening with `place` when it is no id of the vocabulary.
void add_eos(ModelConfig& config, std::int64_t id, const std::string& place);
// place opens error messages: the path of the file.
ModelConfig parse_model_config(const Json& json, const std::string& place);
ModelConfig model_config_from_gguf(const GgufFile& file);
// config.json as transformers 4 and 5 both read it; dtype "bfloat16" or "float32".
Json to_config_json(const ModelConfig& config, const std::string& dtype, std::int32_t bos_id, std::int32_t eos_id);

}  // namespace temper
