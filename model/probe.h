// Whether a model that was written still says what it was made from: the logits of both on a few rows of tokens, in float32.
#pragma once
#include <filesystem>
#include <vector>

#include "model/merged_weights.h"

namespace temper {

struct ProbeRows {
    std::vector<std::vector<std::int32_t>> rows;
    std::int64_t tokens() const;
};
// Four texts that are always the same, as the model's own tokens. Ids drawn by chance would not do: behind tokens that never follow one
// another a model magnifies every rounding.
ProbeRows fixed_probe(const Tokenizer& tokenizer);
// The lines of a text file, each cut at 128 tokens, at most 16 of them. bad_data when there is none.
ProbeRows text_probe(const std::filesystem::path& file, const Tokenizer& tokenizer);

// What the model's weights and the adapter give, every token of every row: (tokens, V) f32.
std::vector<float> probe_logits(const ModelFiles& model, const LoraLayout& lora, const std::vector<float>& parameters, const ProbeRows& probe,
                                int threads);

struct ProbeResult {
    double largest = 0.0;  // difference of a logit
    double bound = 0.0;
    std::int64_t logits = 0;
};

// The bound. Storing a weight moves it by at most half the distance to its neighbours (rounding_steps), and what that does to logits
// depends on the model, so it is measured: twice, every weight is moved by its full step, its direction a coin's. The written model's own
// errors lie anywhere within the steps, so a logit's deviation spreads 1/sqrt(3) as far as a measured one; three times the largest
// measured deviation is some five times what is to be expected. A wrong scale, row order or metadata is far beyond. The worst case over
// all signs would be so wide that nothing were ever refused; for the weights themselves it is checked, by require_within_steps.
// `made`: the weights as they are meant, unrounded; `written`: as they are read back.
ProbeResult run_probe(const ModelFiles& base, const LoraLayout& lora, const std::vector<float>& parameters, const TensorSource& made,
                      const ModelFiles& written, const MovedWeights::TypeOf& type_of, const ProbeRows& probe, int threads);

// Sound for every single weight: read back, each is within its step of what was meant. internal Error naming tensor and element.
void require_within_steps(const ModelFiles& written, const TensorSource& made, const MovedWeights::TypeOf& type_of);

}  // namespace temper
