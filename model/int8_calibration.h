// Scales for an encoder of 8-bit integers, measured on texts.                                  [static, one an input: Jacob et al. 2018]
#pragma once
#include "model/embedding_model.h"
#include "model/int8_scales.h"

namespace temper {

// `model`: an encoder in float32 on the CPU, or usage. Linears become 8-bit integers one after the other, that which does least harm alone the first, as
// long as every row's vector keeps `least` as its cosine to the model's own. With none accepted the cosines are those of the least harmful one.
// `options`: of the model. `texts_sha256` is left empty.
Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, const EmbeddingModel::Options& options, const TokenRows& rows,
                          double least = least_int8_cosine);

}  // namespace temper
