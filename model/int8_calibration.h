// Scales for an encoder of 8-bit integers, measured on texts.                           [static, one a column of an input: Xiao et al. 2023]
#pragma once
#include "model/embedding_model.h"
#include "model/int8_scales.h"

namespace temper {

// `model`: an encoder in float32 on the CPU, or usage. All linears become 8-bit integers if every row's vector then keeps `least` as its cosine to the
// model's own; otherwise one after the other, that which does least harm alone the first, as long as it does. With none accepted the cosines are those of
// the least harmful one. `options`: of the model. input_bits: 16 or 8, of the inputs; weights always have 8. `texts_sha256` is left empty.
Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, const EmbeddingModel::Options& options, const TokenRows& rows,
                          double least = least_int8_cosine, int input_bits = 16);

}  // namespace temper
