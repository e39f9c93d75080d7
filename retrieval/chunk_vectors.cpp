#include "retrieval/chunk_vectors.h"

#include <algorithm>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/sha256.h"
#include "kernels/error.h"

namespace temper {
namespace {

// What has been embedded and not been saved.
class Part {
  public:
    Part(const Collection& whole, const std::function<void(const Collection&)>& save) : save_(save) {
        part_.category = whole.category;
        part_.model = whole.model;
        part_.dimensions = whole.dimensions;
        part_.normalized = whole.normalized;
    }
    void add(const Chunk& chunk, const float* vector) {
        Chunk bare = chunk;
        bare.metadata = Json::object();  // the text is what its vector is found by
        part_.chunks.push_back(std::move(bare));
        part_.vectors.insert(part_.vectors.end(), vector, vector + part_.dimensions);
    }
    std::size_t size() const { return part_.chunks.size(); }
    void save() {
        if (part_.chunks.empty()) return;
        save_(part_);
        part_.chunks.clear();
        part_.vectors.clear();
    }

  private:
    Collection part_;
    const std::function<void(const Collection&)>& save_;
};

}  // namespace

std::string chunks_fingerprint(const Collection& collection) {
    Sha256 hash;
    for (const Chunk& chunk : collection.chunks) {
        for (const std::string* part : {&chunk.id, &chunk.document, &chunk.text}) hash.update(*part + '\0');
        hash.update(json_text(chunk.metadata) + '\0');
    }
    return hash.hex();
}

std::string KnownVectors::add(const std::filesystem::path& file) {
    Collection collection = read_collection(file);
    graph_ = std::move(collection.graph);
    if (collection.model != identity_ || collection.dimensions != dimensions_) return "";
    const std::string fingerprint = chunks_fingerprint(collection);
    collections_.push_back(std::move(collection));
    const Collection& kept = collections_.back();  // vectors keep their place when the list grows: a Collection is moved, not copied
    for (std::size_t i = 0; i < kept.chunks.size(); ++i)
        places_.emplace(sha256_hex(kept.chunks[i].text), kept.vectors.data() + i * static_cast<std::size_t>(dimensions_));
    collections_.back().chunks = std::vector<Chunk>();
    return fingerprint;
}

const float* KnownVectors::find(const std::string& text) const {
    if (places_.empty()) return nullptr;
    const auto found = places_.find(sha256_hex(text));
    return found == places_.end() ? nullptr : found->second;
}

bool embed_chunks(Collection& collection, const KnownVectors& known, Embedder& embedder, const VectorSettings& settings,
                  const std::function<void(const Collection&)>& save_part, const std::function<bool(const VectorProgress&)>& progress) {
    const auto width = static_cast<std::size_t>(collection.dimensions);
    collection.vectors.assign(collection.chunks.size() * width, 0.0f);
    VectorProgress at;
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < collection.chunks.size(); ++i) {
        if (const float* vector = known.find(collection.chunks[i].text)) {
            std::copy(vector, vector + width, collection.vectors.begin() + static_cast<std::ptrdiff_t>(i * width));
            ++at.taken_over;
        } else {
            missing.push_back(i);
        }
    }
    at.done = at.taken_over;
    Part part(collection, save_part);
    const auto batch = static_cast<std::size_t>(settings.batch_chunks);
    std::vector<float> vectors;
    for (std::size_t begin = 0; begin < missing.size(); begin += batch) {
        if (!progress(at)) {
            part.save();
            return false;
        }
        const std::size_t end = std::min(begin + batch, missing.size());
        std::vector<std::string> texts;
        for (std::size_t i = begin; i < end; ++i) texts.push_back(collection.chunks[missing[i]].text);
        vectors.resize(texts.size() * width);
        embedder.embed(texts, EmbedRole::document, vectors.data());
        for (std::size_t i = begin; i < end; ++i) {
            const float* vector = vectors.data() + (i - begin) * width;
            std::copy(vector, vector + width, collection.vectors.begin() + static_cast<std::ptrdiff_t>(missing[i] * width));
            part.add(collection.chunks[missing[i]], vector);
        }
        at.embedded += static_cast<std::int64_t>(texts.size());
        at.done += static_cast<std::int64_t>(texts.size());
        // The last part is the collection itself.
        if (part.size() >= static_cast<std::size_t>(settings.part_chunks) && end < missing.size()) part.save();
    }
    progress(at);
    return true;
}

}  // namespace temper
