// The vocabulary in a GGUF file as the Hugging Face files that make the same tokenizer.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/jsonl.h"
#include "io/tensors/gguf.h"

namespace temper::tok {

struct TokenizerDocuments {
    Json tokenizer;  // tokenizer.json
    Json config;     // tokenizer_config.json
};

// bad_data names the file and the key: a tokenizer.ggml.model other than gpt2 (byte-level BPE), llama (SentencePiece BPE), bert (WordPiece)
// and t5 (Unigram),
// a tokenizer.ggml.pre whose words are not known, lists that do not fit together.
TokenizerDocuments tokenizer_documents(const GgufFile& file);

struct GgufVocabulary {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;  // as many: tokenizer.ggml.token_type
    std::unordered_map<std::string_view, std::size_t> ids;
};
constexpr std::int32_t type_normal = 1, type_unknown = 2, type_control = 3, type_user_defined = 4, type_unused = 5, type_byte = 6;

[[noreturn]] void refuse_key(const GgufFile& file, const std::string& key, const std::string& problem);  // "tokenizer." stands before it
std::vector<float> gguf_scores(const GgufFile& file, const GgufVocabulary& vocabulary);
std::int64_t special_id(const GgufFile& file, const GgufVocabulary& vocabulary, const std::string& kind);  // -1 where the file names none
// BOS and EOS around a text, where the file asks for them.
Json post_processor(const GgufFile& file, const GgufVocabulary& vocabulary, bool adds_bos, bool adds_eos, const std::string& otherwise);
Json word_piece_document(const GgufFile& file, const GgufVocabulary& vocabulary);
Json unigram_document(const GgufFile& file, const GgufVocabulary& vocabulary);

// Pre-tokenizer and normalizer that belong to a tokenizer.ggml.pre; false where it is not known.
bool words_of(const std::string& pre, Json& tokenizer);

}  // namespace temper::tok
