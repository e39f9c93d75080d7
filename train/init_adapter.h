// lora.init_adapter brings its own rank, scale and layers: they are what the run is recorded with, and a setting that says otherwise is refused.
// Internal to train/.
#pragma once
#include "io/settings.h"
#include "model/lora.h"
#include "train/config.h"

namespace temper {

// The adapter's r, lora_alpha and target_modules in the place of the defaults. Usage error at the place of a setting that is another. An adapter that is
// not there is left to whoever reads the model.
void take_adapter_shape(Config& config, const Settings& settings);
// Usage error where lora.target_modules names other layers than the adapter, whose layout it is, has: known once the model is.
void check_asked_modules(const LoraConfig& config, const ModelConfig& model, const LoraLayout& layout);

}  // namespace temper
