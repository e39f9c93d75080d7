// What decides a model's answers, for the identity of an evaluation: a finished one is found again only while all of it is as it was.
#pragma once
#include <string>

#include "model/extended_model.h"

namespace temper {

// Weights and configuration, tokens that end a text, the tokenizer with its chat template and what it puts around a text, the adapter with its settings.
std::string model_identity(const std::string& model, const std::string& adapter, const ModelFiles& files, const Tokenizer& tokenizer);

}  // namespace temper
