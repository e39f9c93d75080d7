// The vocabulary in a GGUF file as the Hugging Face files that make the same tokenizer.
#pragma once
#include "io/gguf.h"
#include "io/jsonl.h"

namespace temper::tok {

struct TokenizerDocuments {
    Json tokenizer;  // tokenizer.json
    Json config;     // tokenizer_config.json
};

// bad_data names the file and the key: a tokenizer.ggml.model other than gpt2 (byte-level BPE) and llama (SentencePiece BPE),
// a tokenizer.ggml.pre whose words are not known, lists that do not fit together.
TokenizerDocuments tokenizer_documents(const GgufFile& file);

// Pre-tokenizer and normalizer that belong to a tokenizer.ggml.pre; false where it is not known.
bool words_of(const std::string& pre, Json& tokenizer);

}  // namespace temper::tok
