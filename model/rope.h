// Rotary position table of a model.                                          [Su et al. 2021; llama3 scaling: Llama 3.1; yarn; longrope]
#pragma once
#include "kernels/ops.h"
#include "model/config.h"

namespace temper {

// Inverse frequencies, rotary_size/2 of them, with the model's scaling; computed as transformers does, in float32. longrope has two sets:
// the long one counts where there are more positions than the model was first trained on. transformers chooses anew for every batch;
// here a run has one, so that a row's numbers do not depend on its neighbours.
std::vector<float> rope_inverse_frequencies(const ModelConfig& config, std::int64_t positions);
// cos and sin of positions [0, positions), each (positions, rotary_size/2) f32, into the two views.
void fill_rope_table(const ModelConfig& config, RopeTable table);
// The same for layers with a window where they have their own theta.
void fill_local_rope_table(const ModelConfig& config, RopeTable table);

}  // namespace temper
