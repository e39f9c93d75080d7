// Whole models written anew: GGUF to a Hugging Face directory, and a base with its adapter merged in.
#pragma once
#include <filesystem>

#include "model/model_files.h"

namespace temper {

// config.json, generation_config.json, model.safetensors (bfloat16), tokenizer.json, tokenizer_config.json. usage Error when output exists.
void convert_gguf(const std::filesystem::path& gguf, const std::filesystem::path& output);

// W + scale * B A in float32, rounded once to bfloat16 (float32 where the base is stored so). Tokenizer files are copied.
void merge_adapter(const std::filesystem::path& model, const std::filesystem::path& adapter, const std::filesystem::path& output);

}  // namespace temper
