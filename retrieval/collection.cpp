#include "retrieval/collection.h"

#include "io/hdf5/hdf5_table.h"
#include "io/json_text.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::int64_t format_version = 1;

std::int64_t count_of(const Collection& collection, const std::filesystem::path& file) {
    const auto count = static_cast<std::int64_t>(collection.chunks.size());
    if (collection.vectors.size() != static_cast<std::size_t>(count * collection.dimensions))
        throw_error(ExitCode::internal, "{}: {} numbers for {} chunks of {} dimensions", file.string(), collection.vectors.size(), count,
                    collection.dimensions);
    return count;
}

}  // namespace

void write_collection(const std::filesystem::path& file, const Collection& collection) {
    const std::int64_t count = count_of(collection, file);
    const std::vector<Chunk>& chunks = collection.chunks;
    Hdf5TableWriter table(file);
    table.attribute("format_version", format_version);
    table.attribute("category", collection.category);
    table.attribute("model", collection.model);
    table.attribute("dimensions", collection.dimensions);
    table.attribute("normalized", collection.normalized ? 1 : 0);
    const auto chunk = [&](std::int64_t i) -> const Chunk& { return chunks[static_cast<std::size_t>(i)]; };
    table.texts("ids", count, [&](std::int64_t i) -> const std::string& { return chunk(i).id; });
    table.texts("documents", count, [&](std::int64_t i) -> const std::string& { return chunk(i).document; });
    table.texts("texts", count, [&](std::int64_t i) -> const std::string& { return chunk(i).text; });
    std::vector<std::int64_t> ordinals;
    std::vector<std::string> metadata;
    for (const Chunk& one : chunks) {
        ordinals.push_back(one.ordinal);
        metadata.push_back(one.metadata.is_null() ? "{}" : json_text(one.metadata));
    }
    table.texts("metadata", count, [&](std::int64_t i) -> const std::string& { return metadata[static_cast<std::size_t>(i)]; });
    table.integers("ordinals", ordinals);
    table.floats("embeddings", collection.vectors, count, collection.dimensions);
    if (!collection.graph.empty()) table.bytes("graph", collection.graph);
    table.commit();
}

Collection read_collection(const std::filesystem::path& file) {
    const Hdf5TableReader table(file);
    const std::int64_t version = table.integer_attribute("format_version");
    if (version != format_version)
        table.fail(fmt::format("format_version {}, expected {}: written by another version of temper", version, format_version));
    Collection collection;
    collection.category = table.text_attribute("category");
    collection.model = table.text_attribute("model");
    collection.dimensions = table.integer_attribute("dimensions");
    collection.normalized = table.integer_attribute("normalized") != 0;
    const std::int64_t count = table.rows("ids");
    collection.chunks.resize(static_cast<std::size_t>(count));
    const auto chunk = [&](std::int64_t i) -> Chunk& { return collection.chunks[static_cast<std::size_t>(i)]; };
    table.texts("ids", count, [&](std::int64_t i, std::string text) { chunk(i).id = std::move(text); });
    table.texts("documents", count, [&](std::int64_t i, std::string text) { chunk(i).document = std::move(text); });
    table.texts("texts", count, [&](std::int64_t i, std::string text) { chunk(i).text = std::move(text); });
    table.texts("metadata", count, [&](std::int64_t i, const std::string& text) {
        chunk(i).metadata = parse_json(text, fmt::format("{}: /metadata[{}]", file.string(), i));
        if (!chunk(i).metadata.is_object()) table.fail(fmt::format("/metadata[{}]: {}, expected an object", i, chunk(i).metadata.type_name()));
    });
    const std::vector<std::int64_t> ordinals = table.integers("ordinals", count);
    for (std::int64_t i = 0; i < count; ++i) chunk(i).ordinal = ordinals[static_cast<std::size_t>(i)];
    collection.vectors = table.floats("embeddings", count, collection.dimensions);
    if (table.has("graph")) collection.graph = table.bytes("graph");
    return collection;
}

}  // namespace temper
