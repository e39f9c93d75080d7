// Small stores as temper features leaves them, for dataset_test.sh and search_test.sh.
//     store_program DIR                     categories article and post, ten documents of two chunks each, some of whose texts hold words that the
//                                           stand-in endpoint reacts to
//     store_program DIR ROWS.jsonl MODEL    a chunk a row {"id", "category", "text", …}, embedded by the model; the rest is metadata
#include <cstdio>
#include <filesystem>
#include <map>

#include "retrieval/collection.h"
#include "retrieval/model_embedder.h"
#include "retrieval/vector_index.h"

namespace temper {
namespace {

Collection words_collection(const std::string& category) {
    Collection collection;
    collection.category = category;
    collection.model = "test";
    collection.dimensions = 2;
    const std::vector<std::string> words = {"PLAIN", "MALFORMED", "HOPELESS", "BUSY", "FENCED", "REFUSED", "SAME", "SAME", "PLAIN", "SHORT"};
    for (int document = 0; document < 10; ++document)
        for (int part = 0; part < 2; ++part) {
            const std::string name = category + "/" + std::to_string(document);
            const bool is_short = words[static_cast<std::size_t>(document)] == "SHORT" && part == 1;
            std::string text =
                is_short ? "too short" : words[static_cast<std::size_t>(document)] + " of " + name + " part " + std::to_string(part) + ". ";
            while (!is_short && text.size() < 300) text += "Lorem ipsum \"dolor\" sit amet, über alles. ";
            collection.chunks.push_back(
                {name + "#" + std::to_string(part), name, part, text, Json{{"title", "Title " + name}, {"year", 2015 + document}}});
            collection.vectors.insert(collection.vectors.end(), {1.0f, 0.0f});
        }
    return collection;
}

std::map<std::string, Collection> embedded_collections(const char* rows, const char* model) {
    const auto embedder = open_model_embedder(model);
    std::map<std::string, Collection> collections;
    JsonlReader reader(rows);
    for (Json row; reader.next(row);) {
        Collection& collection = collections[row.at("category").get<std::string>()];
        collection.category = row.at("category").get<std::string>();
        const std::string id = row.at("id").get<std::string>(), text = row.at("text").get<std::string>();
        for (const char* name : {"id", "category", "text"}) row.erase(name);
        collection.chunks.push_back({id + "#0", id, 0, text, row});
    }
    for (auto& [category, collection] : collections) {
        collection.model = embedder->identity();
        collection.dimensions = embedder->dimensions();
        collection.normalized = embedder->normalized();
        std::vector<std::string> texts;
        for (const Chunk& chunk : collection.chunks) texts.push_back(chunk.text);
        collection.vectors.resize(texts.size() * static_cast<std::size_t>(collection.dimensions));
        embedder->embed(texts, EmbedRole::document, collection.vectors.data());
        if (category == "post") collection.graph = VectorIndex(collection.vectors, collection.dimensions, 1).build_graph();
    }
    return collections;
}

int write_store(int argc, char** argv) {
    std::map<std::string, Collection> collections;
    if (argc == 4) collections = embedded_collections(argv[2], argv[3]);
    else
        for (const char* category : {"article", "post"}) collections[category] = words_collection(category);
    for (const auto& [category, collection] : collections) {
        const std::filesystem::path directory = std::filesystem::path(argv[1]) / "categories" / category;
        std::filesystem::create_directories(directory);
        write_collection(directory / "collection.h5", collection);
    }
    return 0;
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4) return 2;
    try {
        return temper::write_store(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
