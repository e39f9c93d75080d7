#include "model/weight_names.h"

#include <fmt/format.h>

namespace temper {

std::vector<LinearShape> block_linears(const ModelConfig& config) {
    const std::int64_t d = config.hidden_size, f = config.intermediate_size;
    const std::int64_t q = config.attention_size(), kv = config.key_value_heads * config.head_size;
    std::vector<LinearShape> linears;
    if (config.fused_qkv) {
        linears.push_back({"qkv_proj", q + 2 * kv, d, "self_attn", Stack::qkv, config.qkv_bias});
    } else {
        linears.push_back({"q_proj", q, d, "self_attn", Stack::qkv, config.qkv_bias});
        linears.push_back({"k_proj", kv, d, "self_attn", Stack::qkv, config.qkv_bias});
        linears.push_back({"v_proj", kv, d, "self_attn", Stack::qkv, config.qkv_bias});
    }
    linears.push_back({"o_proj", d, q, "self_attn", Stack::output, config.output_bias});
    if (config.fused_gate_up) {
        linears.push_back({"gate_up_proj", 2 * f, d, "mlp", Stack::gate_up, config.mlp_bias});
    } else {
        linears.push_back({"gate_proj", f, d, "mlp", Stack::gate_up, config.mlp_bias});
        linears.push_back({"up_proj", f, d, "mlp", Stack::gate_up, config.mlp_bias});
    }
    linears.push_back({"down_proj", d, f, "mlp", Stack::down, config.mlp_bias});
    return linears;
}

NormNames norm_names(const ModelConfig& config) {
    NormNames names;
    names.attention = "input_layernorm";
    names.mlp = config.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    if (config.post_norms) names.attention_out = "post_attention_layernorm", names.mlp_out = "post_feedforward_layernorm";
    if (config.qk_norm) names.query = "self_attn.q_norm", names.key = "self_attn.k_norm";
    return names;
}

std::vector<TensorInfo> weight_list(const ModelConfig& config) {
    std::vector<TensorInfo> list;
    const auto add = [&](std::string name, std::vector<std::int64_t> shape) { list.push_back({std::move(name), "", std::move(shape)}); };
    const NormNames norms = norm_names(config);
    add("model.embed_tokens.weight", {config.vocab_size, config.hidden_size});
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const std::string block = fmt::format("model.layers.{}.", layer);
        for (const std::string& norm : {norms.attention, norms.mlp, norms.attention_out, norms.mlp_out})
            if (!norm.empty()) add(block + norm + ".weight", {config.hidden_size});
        for (const std::string& norm : {norms.query, norms.key})
            if (!norm.empty()) add(block + norm + ".weight", {config.head_size});
        for (const LinearShape& linear : block_linears(config)) {
            const std::string path = fmt::format("{}{}.{}", block, linear.block, linear.name);
            add(path + ".weight", {linear.out, linear.in});
            if (linear.bias) add(path + ".bias", {linear.out});
        }
    }
    add("model.norm.weight", {config.hidden_size});
    if (!config.tied_head) add("lm_head.weight", {config.vocab_size, config.hidden_size});
    return list;
}

}  // namespace temper
