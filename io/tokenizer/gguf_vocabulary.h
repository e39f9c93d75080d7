// A tokenizer as the metadata of a GGUF file: the way back of gguf_tokenizer.h.
#pragma once
#include "io/tensors/gguf_writer.h"
#include "io/tokenizer/tokenizer.h"

namespace temper {

// Adds the keys "tokenizer.…" for a model of vocabulary_size tokens that ends at end_ids. bad_data names what GGUF has no words for:
// another kind of model than BPE, a pre-tokenizer that llama.cpp has no name for. `place` opens messages.
void add_vocabulary(GgufMetadata& metadata, const Tokenizer& tokenizer, std::int64_t vocabulary_size, const std::vector<std::int32_t>& end_ids,
                    const std::string& place);

// bad_data unless both turn the same texts into the same ids and name the same tokens: for a file that was just written.
void require_same_tokens(const Tokenizer& written, const Tokenizer& original, const std::string& place);

}  // namespace temper
