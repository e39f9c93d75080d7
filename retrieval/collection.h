// The chunks of one category with their vectors: what the feature pipeline writes and search reads.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct Chunk {
    std::string id;            // document's id, '#', ordinal: unique in a collection
    std::string document;      // the document's id
    std::int64_t ordinal = 0;  // place among the document's chunks
    std::string text;
    Json metadata;  // an object: the document's (title, author, url, date, …) and the chunk's (heading, …); filters read it
};

struct Collection {
    std::string category;
    std::string model;            // Embedder::identity() of every vector
    std::int64_t dimensions = 0;  // D
    bool normalized = false;
    std::vector<Chunk> chunks;   // N
    std::vector<float> vectors;  // (N, D) row-major
    std::string graph;           // VectorIndex::build_graph() of the vectors; empty where they are searched whole
};

// One HDF5 file a category, committed whole: datasets /embeddings (N, D) f32, /ids, /documents, /ordinals, /texts, /metadata (JSON texts), /graph
// (u8) where there is one, and the attributes category, model, dimensions, normalized. io_error, bad_data with the dataset's name.
void write_collection(const std::filesystem::path& file, const Collection& collection);
Collection read_collection(const std::filesystem::path& file);

}  // namespace temper
