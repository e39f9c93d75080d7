// A model as modules that are trained whole need it: with more or fewer rows of vocabulary, and a head of its own where the file's is tied to
// the embedding. What PEFT's modules_to_save does to a transformers model, done to its files.                        [peft 0.21.2]
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/lora.h"
#include "model/model_files.h"

namespace temper {

struct SavedNames {
    bool embedding = false, head = false;
};
// usage Error for a module that is neither the embedding nor the head.
SavedNames parse_modules_to_save(const std::vector<std::string>& names);

// The model for these settings; `model` must outlive it. A tied head becomes its own where embedding or head is trained whole, unless
// settings.ensure_weight_tying. settings.vocabulary rows: new ones are the mean of the others, as transformers' are in expectation; usage Error
// unless both modules are trained then, or the file brings both.
std::unique_ptr<ModelFiles> extend_model(const ModelFiles& model, const LoraSettings& settings);

// A model with its adapter, ready to be loaded. Without a directory the model alone.
struct AdaptedModel {
    std::unique_ptr<ModelFiles> base, extended;  // extended: null where the base is well as it is
    LoraLayout lora;
    std::vector<float> parameters;
    const ModelFiles& files() const { return extended ? *extended : *base; }
};
AdaptedModel open_adapted_model(const std::filesystem::path& model, const std::filesystem::path& adapter, const Quantization& quantization = {});

}  // namespace temper
