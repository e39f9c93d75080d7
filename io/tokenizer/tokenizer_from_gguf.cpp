#include "io/tokenizer/gguf_tokenizer.h"
#include "io/tokenizer/tokenizer_impl.h"

namespace temper {

// By way of the Hugging Face files, so that what is converted and what is used cannot differ.
Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
    const tok::TokenizerDocuments documents = tok::tokenizer_documents(file);
    std::string text = documents.tokenizer.dump() + "\n";
    return Tokenizer(std::make_unique<Impl>(documents.tokenizer, std::move(text), file.describe(),
                                            tok::TokenizerConfig::from_document(documents.config, file.describe())));
}

}  // namespace temper
