// What a model is, read from config.json (transformers 4 and 5) or GGUF metadata. Fields that would change the arithmetic and are not
// understood are refused by name: a wrong model is worse than none.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "io/jsonl.h"

namespace temper {

struct RopeScaling {
    enum class Kind { none, linear, llama3 } kind = Kind::none;
    double factor = 1.0;
    double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
    std::int64_t original_max_position_embeddings = 8192;  // llama3
};

struct ModelConfig {
    std::string family;  // "llama" | "qwen2", config.json's model_type
    std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, layers = 0;
    std::int64_t heads = 0, key_value_heads = 0, head_size = 0;
    std::int64_t max_position_embeddings = 0;
    double rms_norm_eps = 1e-6;
    double rope_theta = 10000.0;
    RopeScaling rope_scaling;
    bool tied_head = false;
    bool qkv_bias = false;
    std::vector<std::int32_t> eos_ids;  // generation stops at any of these

    std::int64_t qkv_size() const { return (heads + 2 * key_value_heads) * head_size; }
    std::int64_t attention_size() const { return heads * head_size; }
    // Weights in matrix multiplications, embedding lookup excluded, head included once: the N + Nh of the FLOP model.
    std::int64_t body_parameters() const;
    std::int64_t head_parameters() const { return vocab_size * hidden_size; }
    std::int64_t parameters() const;  // all distinct weights
};

// Adds an end token once; bad_data opening with `place` when it is no id of the vocabulary.
void add_eos(ModelConfig& config, std::int64_t id, const std::string& place);
// place opens error messages: the path of the file.
ModelConfig parse_model_config(const Json& json, const std::string& place);
ModelConfig model_config_from_gguf(const GgufFile& file);
// config.json as transformers 4 and 5 both read it; dtype "bfloat16" or "float32".
Json to_config_json(const ModelConfig& config, const std::string& dtype, std::int32_t bos_id, std::int32_t eos_id);

}  // namespace temper
