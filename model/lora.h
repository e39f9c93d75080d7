// LoRA as PEFT defines it: which linear layers are adapted, with which rank and scale, where each A and B lies in one flat vector of
// parameters, and adapters on disk (adapter_config.json + adapter_model.safetensors).             [Hu et al. 2021; peft 0.21.2]
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "model/config.h"
#include "model/weight_names.h"

namespace temper {

struct LoraSettings {
    std::int64_t r = 16;
    double alpha = 32.0;
    bool use_rslora = false;
    std::vector<std::string> target_modules = {"all-linear"};  // last names (q_proj), or all-linear
};

// One adapted linear layer: A (rank, in) and B (out, rank), f32, row-major, at these offsets of the parameter vector.
struct LoraModule {
    std::string path;  // Hugging Face module path: model.layers.0.self_attn.q_proj
    std::int64_t layer = 0;
    std::string name;  // q_proj
    std::int64_t in = 0, out = 0, rank = 0;
    float scale = 1.0f;
    std::int64_t offset_a = 0, offset_b = 0;
};

struct LoraLayout {
    LoraSettings settings;
    std::vector<LoraModule> modules;  // in the model's order
    std::int64_t parameters = 0;      // P
    const LoraModule* find(std::int64_t layer, const std::string& name) const;
    // "model.layers.3.mlp.up_proj.lora_B.weight [17, 4]" for an index of the parameter vector, for messages.
    std::string describe(std::int64_t index) const;
};

// usage Error naming the unknown target and the known ones.
LoraLayout make_lora_layout(const ModelConfig& config, const LoraSettings& settings);
// A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5), B zero; a counter-based stream per (seed, module, element).
void init_lora(const LoraLayout& layout, std::uint64_t seed, float* parameters);

LoraSettings read_adapter_settings(const std::filesystem::path& directory);
// Tensor names and shapes decide whether the adapter fits: bad_data names what is missing, superfluous or of another shape.
std::vector<float> read_adapter(const std::filesystem::path& directory, const LoraLayout& layout);
// Its bytes hold no date, id or path but base_model, which PEFT wants as the model's name.
void write_adapter(const std::filesystem::path& directory, const LoraLayout& layout, const float* parameters, const std::string& base_model);

}  // namespace temper
