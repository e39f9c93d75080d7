// Embedder and Reranker over a model's directory, as `temper embed` and `temper rerank` compute.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "retrieval/embedder.h"

namespace temper {

struct ModelEmbedderOptions {
    std::string dtype = "float32", device = "auto", isa = "auto";
    std::int64_t threads = 0, batch_tokens = 0;
    std::int64_t dimensions = 0, max_length = 0;  // 0: as the model's files say
    bool normalize = false;                       // also where the model's files do not
    // In place of the model's: of queries the prompt named "query", of documents "document", "passage" or "corpus", else the default one.
    std::optional<std::string> query_prompt, document_prompt;
};
std::unique_ptr<Embedder> open_model_embedder(const std::filesystem::path& model, const ModelEmbedderOptions& options = {});
// usage when the model gives several scores a pair.
std::unique_ptr<Reranker> open_model_reranker(const std::filesystem::path& model, const ModelEmbedderOptions& options = {});

}  // namespace temper
