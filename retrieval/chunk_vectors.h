// Vectors of chunks: those that are known are taken over, the others made, and saved in parts so that a killed run loses little.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "retrieval/collection.h"
#include "retrieval/embedder.h"

namespace temper {

// Vectors by the texts that they stand for. A text's vector depends on the text and the model alone, so one of an earlier run is as good as a new
// one: what changed in a document costs its changed chunks, and what changed around it (metadata, order, settings) nothing.
class KnownVectors {
  public:
    KnownVectors(const std::string& identity, std::int64_t dimensions) : identity_(identity), dimensions_(dimensions) {}
    // Takes what the file holds, and returns its chunks' fingerprint; nothing, and an empty one, where its vectors are another model's.
    std::string add(const std::filesystem::path& collection);
    const float* find(const std::string& text) const;    // null when it is not known
    const std::string& graph() const { return graph_; }  // of the file added last

  private:
    std::string identity_;
    std::int64_t dimensions_;
    std::vector<Collection> collections_;
    std::string graph_;
    std::unordered_map<std::string, const float*> places_;  // SHA-256 of a text -> its vector
};

// Of ids, texts and metadata in their order: equal ones need not be written again.
std::string chunks_fingerprint(const Collection& collection);

struct VectorSettings {
    std::int64_t batch_chunks = 256, part_chunks = 8192;
};

struct VectorProgress {
    std::int64_t done = 0, taken_over = 0;  // chunks with a vector; of these, known before
    std::int64_t embedded = 0, tokens = 0;  // by this call
};

// Fills collection.vectors for its chunks; `progress` is told between batches, and ends the work early with false. save_part gets what was embedded since
// the last part, a collection of its own, also before an early end. False when it ended early.
bool embed_chunks(Collection& collection, const KnownVectors& known, Embedder& embedder, const VectorSettings& settings,
                  const std::function<void(const Collection&)>& save_part, const std::function<bool(const VectorProgress&)>& progress);

}  // namespace temper
