// A collection in Qdrant, over REST, under an alias that always names a whole one: the points go into a new collection, are counted, and then the
// alias is moved to it in one request and what it named before is deleted. A killed run leaves the alias as it was; the next one goes on.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "io/http/http_retry.h"
#include "retrieval/collection.h"

namespace temper {

struct QdrantSettings {
    std::string url = "http://127.0.0.1:6333";
    std::string api_key_env;   // name of the environment variable that holds the key; empty: none is sent
    std::int64_t batch = 256;  // points a request, at most
    double timeout = 60;       // seconds, of a request
    RetryPolicy retries;
    std::function<void(std::int64_t)> progress;  // points stored
    std::function<bool()> cancelled;
};

struct QdrantResult {
    std::string collection;  // what the alias names now: "<alias>-<12 digits of what it holds>"
    std::int64_t points = 0;
    bool unchanged = false;  // it was there already: nothing was sent
    std::vector<std::string> deleted;
};

// Payload of a point: the chunk's metadata, and id, document, ordinal, text, category. Its own id is a UUID made of the chunk's.
// io_error names the request and what Qdrant said; usage when the alias is the name of a collection, or the key is not set.
QdrantResult upsert_to_qdrant(const Collection& collection, const std::string& alias, const QdrantSettings& settings);

std::string qdrant_point_id(const std::string& chunk_id);

}  // namespace temper
