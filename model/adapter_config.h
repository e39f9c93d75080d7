// adapter_config.json, PEFT's description of an adapter. Internal to model/.
#pragma once
#include "io/jsonl.h"
#include "model/lora.h"

namespace temper {

// In the subset of keys that every PEFT understands.
Json adapter_config_json(const LoraLayout& layout, const std::string& base_model);

}  // namespace temper
