// Scales for an encoder of 8-bit integers, measured on texts.                                  [static, one an input: Jacob et al. 2018]
#pragma once
#include "model/embedding_model.h"
#include "model/int8_scales.h"

namespace temper {

// `model`: an encoder in float32 on the CPU, or usage. Runs every row through it, and again through the model of 8-bit integers that its options and these
// scales give; the cosines of both vectors stand in the result, whatever they are. `texts_sha256` is left empty.
Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, EmbeddingModel::Options options, const TokenRows& rows);

}  // namespace temper
