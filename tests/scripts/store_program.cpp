// store_program DIR: a small store as temper features leaves it, for dataset_test.sh: categories article and post, ten documents of two chunks
// each, some of whose texts hold words that the stand-in endpoint reacts to.
#include <cstdio>
#include <filesystem>

#include "retrieval/collection.h"

namespace temper {

Collection collection_of(const std::string& category) {
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

}  // namespace temper

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    for (const char* category : {"article", "post"}) {
        const std::filesystem::path directory = std::filesystem::path(argv[1]) / "categories" / category;
        std::filesystem::create_directories(directory);
        temper::write_collection(directory / "collection.h5", temper::collection_of(category));
    }
    return 0;
}
