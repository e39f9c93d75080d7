// LoRA as PEFT defines it: which linear layers are adapted, with which rank and scale, where each A and B (and DoRA's magnitude) lies in
// one flat vector of parameters, and adapters on disk (adapter_config.json + adapter_model.safetensors).
//                                                                                               [Hu et al. 2021; peft 0.21.2]
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/tensors/tensor_source.h"
#include "kernels/ops.h"
#include "model/config.h"
#include "model/weight_names.h"

namespace temper {

// Modules as PEFT names them: last names and full paths in a list, or one regular expression for whole paths.
struct ModuleNames {
    std::vector<std::string> list;
    bool pattern = false;  // list[0] is the expression

    bool empty() const { return list.empty(); }
};
// From a configuration: a single entry with a character that no module's name has is a regular expression.
ModuleNames parse_module_names(const std::vector<std::string>& entries);

struct LoraSettings {
    std::int64_t r = 16;
    double alpha = 32.0;
    bool use_rslora = false;
    bool use_dora = false;
    double dropout = 0.0;                                            // on the input of A, in training alone
    std::string init = "true";                                       // true | gaussian | pissa | pissa_niter_N | olora
    ModuleNames target_modules = {{"all-linear"}, false};            // all-linear: every linear layer but the head
    ModuleNames exclude_modules;                                     // wins over target_modules
    std::vector<std::int64_t> layers_to_transform;                   // empty: all; only of targets that are given by their last name
    std::vector<std::string> layers_pattern;                         // names of the list that holds the layers
    std::vector<std::pair<std::string, std::int64_t>> rank_pattern;  // the first key that matches (.*\.)?(key)$ counts
    std::vector<std::pair<std::string, double>> alpha_pattern;
    // Trained whole, in PEFT's terms: embed_tokens, lm_head. A tied head becomes one of its own unless ensure_weight_tying says that both stay one.
    std::vector<std::string> modules_to_save;
    bool ensure_weight_tying = false;
    std::int64_t vocabulary = 0;  // rows of both; 0: the model's own
    bool from_file = false;       // an adapter's own settings: as in PEFT, names that match nothing are passed over
};

// One adapted linear layer: A (rank, in) and B (out, rank), f32, row-major, at these offsets of the parameter vector.
struct LoraModule {
    std::string path;  // Hugging Face module path: model.layers.0.self_attn.q_proj
    std::int64_t layer = 0;
    std::string name;  // q_proj
    std::int64_t in = 0, out = 0, rank = 0;
    float scale = 1.0f;
    std::int64_t offset_a = 0, offset_b = 0;
    std::int64_t offset_m = -1;  // DoRA: magnitude (out); -1: none
    std::int64_t index = 0;      // in the layout
};

// The embedding, the head, or both where they are one weight, trained whole: (rows, columns), f32, row-major, at this offset.
struct SavedModule {
    bool embedding = false, head = false;
    std::int64_t rows = 0, columns = 0, offset = 0;
    std::int64_t elements() const { return rows * columns; }
    std::vector<std::string> paths() const;  // model.embed_tokens, lm_head
};

struct LoraLayout {
    LoraSettings settings;
    std::vector<LoraModule> modules;  // in the model's order
    std::vector<SavedModule> saved;   // behind them
    std::int64_t parameters = 0;      // P
    std::int64_t adapter_parameters() const { return saved.empty() ? parameters : saved.front().offset; }
    const SavedModule* saved_embedding() const;  // null where it is frozen
    const SavedModule* saved_head() const;
    const LoraModule* find(std::int64_t layer, const std::string& name) const;
    // "model.layers.3.mlp.up_proj.lora_B.weight [17, 4]" for an index of the parameter vector, for messages.
    std::string describe(std::int64_t index) const;
};

// usage Error naming what matches no linear layer, or a layer that cannot be adapted. With modules_to_save the model is one that
// extend_model (model/extended_model.h) made for them.
LoraLayout make_lora_layout(const ModelConfig& config, const LoraSettings& settings);
// Of all that decides what a vector of parameters means: modules, shapes, scales and offsets.
std::string layout_sha256(const LoraLayout& layout);
// A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5) or, for gaussian, normal with deviation 1/rank; B zero. A counter-based stream per
// (seed, module, element).
void init_lora(const LoraLayout& layout, std::uint64_t seed, float* parameters);
// DoRA's magnitudes: the length of every row of W + scale * B A, W rounded to dtype and, where the adapter starts from the weights, without
// that start, which `parameters` hold. Does nothing without DoRA.
void init_magnitudes(const LoraLayout& layout, const TensorSource& weights, DType dtype, float* parameters);
// Modules that are trained whole begin as the weights are.
void init_saved(const LoraLayout& layout, const TensorSource& weights, float* parameters);
// weight (out, in) f32 becomes what the adapted layer multiplies by: W + scale * B A, with DoRA its rows
// brought to the length m.
void apply_adapter(View weight, const LoraModule& module, const float* parameters);

LoraSettings read_adapter_settings(const std::filesystem::path& directory);
// Tensor names and shapes decide whether the adapter fits: bad_data names what is missing, superfluous or of another shape.
std::vector<float> read_adapter(const std::filesystem::path& directory, const LoraLayout& layout);
// Its bytes hold no date, id or path but base_model, which PEFT wants as the model's name.
void write_adapter(const std::filesystem::path& directory, const LoraLayout& layout, const float* parameters, const std::string& base_model);

}  // namespace temper
