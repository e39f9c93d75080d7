// qdrant_upsert COLLECTION.h5 URL ALIAS: what retrieval/qdrant.h does, for tests/campaigns/qdrant.py. Prints collection, points, unchanged, deleted.
#include "retrieval/qdrant.h"

#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    try {
        temper::QdrantSettings settings;
        settings.url = argv[2];
        const temper::QdrantResult result = temper::upsert_to_qdrant(temper::read_collection(argv[1]), argv[3], settings);
        const temper::Json json = {
            {"collection", result.collection}, {"points", result.points}, {"unchanged", result.unchanged}, {"deleted", result.deleted}};
        std::puts(json.dump().c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(temper::exit_code_of(error));
    }
}
