// Rotary position table of a model.                                                   [Su et al. 2021; llama3 scaling: Llama 3.1]
#pragma once
#include "kernels/ops.h"
#include "model/config.h"

namespace temper {

// Inverse frequencies, d/2 of them, with the model's scaling; computed as transformers does, in float32.
std::vector<float> rope_inverse_frequencies(const ModelConfig& config);
// cos and sin of positions [0, positions), each (positions, d/2) f32, into the two views.
void fill_rope_table(const ModelConfig& config, RopeTable table);

}  // namespace temper
