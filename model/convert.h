// Whole models written anew: as a Hugging Face directory or a GGUF file, with an adapter merged in or without.
#pragma once
#include <filesystem>
#include <string>

#include "model/probe.h"

namespace temper {

// An output that ends in .gguf is a GGUF file, any other a directory: config.json, generation_config.json, model.safetensors and the
// tokenizer's files. usage Error when it exists.
bool is_gguf_path(const std::filesystem::path& output);

// type: F32, F16, BF16 or Q8_0 for a GGUF file (empty: F16), F32 or BF16 for a directory (empty: BF16).
void convert_model(const std::filesystem::path& model, const std::filesystem::path& output, const std::string& type);

struct MergeSettings {
    std::string type;                  // empty: as convert_model, F32 for a directory where the base is stored so
    std::filesystem::path probe_text;  // empty: texts that are always the same
    int threads = 1;
};
// W + scale * B A in float32 from the base as it is stored, rounded once. What was written is read back before it gets its name:
// non_finite or internal Error, and no output, when a weight or a logit is further from base and adapter than storing explains.
ProbeResult merge_adapter(const std::filesystem::path& model, const std::filesystem::path& adapter, const std::filesystem::path& output,
                          const MergeSettings& settings);

}  // namespace temper
