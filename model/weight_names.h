// What a decoder's weights are called and how they are shaped, by Hugging Face's names: the one list that loading, checking, adapters and
// conversion go by.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/tensors/tensor_source.h"
#include "model/config.h"

namespace temper {

// Linear layers of a block that are computed as one product.
enum class Stack { qkv, output, gate_up, down };

struct LinearShape {
    std::string name;  // q_proj ... down_proj
    std::int64_t out = 0, in = 0;
    const char* block = "";  // self_attn | mlp
    Stack stack = Stack::qkv;
    bool bias = false;
};
// The linear layers of a decoder block, in the model's order.
std::vector<LinearShape> block_linears(const ModelConfig& config);

// Norms of a block, empty where the family has none.
struct NormNames {
    std::string attention, mlp;          // before attention and feed-forward
    std::string attention_out, mlp_out;  // behind them
    std::string query, key;              // of a head
};
NormNames norm_names(const ModelConfig& config);

// Every weight of the model, with shapes (out, in).
std::vector<TensorInfo> weight_list(const ModelConfig& config);

}  // namespace temper
