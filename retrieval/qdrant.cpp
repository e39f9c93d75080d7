#include "retrieval/qdrant.h"

#include <algorithm>

#include "io/durable.h"
#include "io/environment.h"
#include "io/json_text.h"
#include "io/sha256.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t max_body_bytes = std::size_t(8) << 20;  // Qdrant takes 32 MiB
constexpr std::size_t digest_digits = 12;

// What a new collection is called after: equal collections have equal names.
std::string digest_of(const Collection& collection) {
    Sha256 hash;
    const auto add = [&hash](const std::string& text) {
        hash.update(std::to_string(text.size()) + ":");
        hash.update(text);
    };
    for (const std::string& text : {collection.category, collection.model, std::to_string(collection.dimensions)}) add(text);
    for (const Chunk& chunk : collection.chunks)
        for (const std::string& text : {chunk.id, chunk.document, std::to_string(chunk.ordinal), chunk.text, json_text(chunk.metadata)}) add(text);
    hash.update({reinterpret_cast<const char*>(collection.vectors.data()), collection.vectors.size() * sizeof(float)});
    return hash.hex().substr(0, digest_digits);
}

// Names of the collections that an alias has had: "<alias>-" and twelve hexadecimal digits.
bool is_of_alias(const std::string& name, const std::string& alias) {
    return name.size() == alias.size() + 1 + digest_digits && name.starts_with(alias + "-") &&
           name.find_first_not_of("0123456789abcdef", alias.size() + 1) == std::string::npos;
}

class Qdrant {
  public:
    explicit Qdrant(const QdrantSettings& settings) : settings_(settings) {
        while (!base_.empty() && base_.back() == '/') base_.pop_back();
        key_ = environment_secret(settings.api_key_env, "qdrant: " + shown_url(base_));
    }

    Json call(const std::string& method, const std::string& path, const std::string& body = "") {
        HttpRequest request;
        request.method = method;
        request.url = base_ + path;
        request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
        if (!key_.empty()) request.headers.emplace_back("api-key", key_);
        request.body = body;
        request.timeout = settings_.timeout;
        request.max_redirects = 0;
        request.cancelled = settings_.cancelled;
        const HttpResponse response = send_with_retries(client_, request, settings_.retries);
        const std::string place = method + " " + shown_url(request.url);
        Json answer;
        try {
            answer = parse_json(response.body, place);
        } catch (const Error&) {
            answer = nullptr;
        }
        if (response.status >= 200 && response.status < 300 && answer.is_object() && answer.contains("result")) return answer.at("result");
        std::string said = response.body.substr(0, 300);
        if (answer.is_object() && answer.contains("status") && answer.at("status").is_object() && answer.at("status").contains("error"))
            said = json_text(answer.at("status").at("error"));
        throw_error(ExitCode::io_error, "{}: status {}, expected a result of Qdrant; it said: {}", place, response.status, said);
    }

    std::vector<std::string> collections() {
        std::vector<std::string> names;
        for (const Json& one : list(call("GET", "/collections"), "collections")) names.push_back(one.at("name").get<std::string>());
        return names;
    }
    std::string target_of(const std::string& alias) {  // empty: there is no such alias
        for (const Json& one : list(call("GET", "/aliases"), "aliases"))
            if (one.value("alias_name", "") == alias) return one.value("collection_name", "");
        return {};
    }
    std::int64_t count(const std::string& name) {
        const Json result = call("POST", "/collections/" + name + "/points/count", R"({"exact":true})");
        return result.is_object() ? result.value("count", std::int64_t(-1)) : -1;
    }

  private:
    static Json list(const Json& result, const char* name) {
        Json found = Json::array();
        if (result.is_object() && result.contains(name) && result.at(name).is_array())
            for (const Json& one : result.at(name))
                if (one.is_object()) found.push_back(one);
        return found;
    }
    const QdrantSettings& settings_;
    std::string base_ = settings_.url, key_;
    HttpClient client_;
};

std::string point_json(const Collection& collection, std::size_t row) {
    const Chunk& chunk = collection.chunks[row];
    Json payload = chunk.metadata.is_object() ? chunk.metadata : Json::object();
    payload["id"] = chunk.id;
    payload["document"] = chunk.document;
    payload["ordinal"] = chunk.ordinal;
    payload["text"] = chunk.text;
    payload["category"] = collection.category;
    const float* vector = collection.vectors.data() + row * static_cast<std::size_t>(collection.dimensions);
    // The shortest digits that give the float32 back.
    return fmt::format(R"({{"id":"{}","vector":[{}],"payload":{}}})", qdrant_point_id(chunk.id),
                       fmt::join(vector, vector + collection.dimensions, ","), json_text(payload));
}

void send_points(Qdrant& qdrant, const Collection& collection, const std::string& name, const QdrantSettings& settings) {
    const std::string path = "/collections/" + name + "/points?wait=true";
    std::string points;
    std::int64_t in_batch = 0, done = 0;
    const auto flush = [&] {
        if (in_batch == 0) return;
        qdrant.call("PUT", path, R"({"points":[)" + points + "]}");
        done += in_batch;
        if (settings.progress) settings.progress(done);
        points.clear();
        in_batch = 0;
    };
    for (std::size_t row = 0; row < collection.chunks.size(); ++row) {
        const std::string point = point_json(collection, row);
        if (in_batch >= settings.batch || points.size() + point.size() > max_body_bytes) flush();
        points += in_batch == 0 ? point : "," + point;
        ++in_batch;
    }
    flush();
}

}  // namespace

std::string qdrant_point_id(const std::string& chunk_id) {
    std::string hex = sha256_hex(chunk_id).substr(0, 32);
    hex[12] = '8';  // version and variant of a UUID whose bits are one's own [RFC 9562, 5.8]
    hex[16] = "89ab"[hex[16] % 4];
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

QdrantResult upsert_to_qdrant(const Collection& collection, const std::string& alias, const QdrantSettings& settings) {
    if (alias.empty() || alias.find_first_of("/?#%& ") != std::string::npos)
        throw_error(ExitCode::usage, "qdrant: alias '{}': expected a plain name", alias);
    Qdrant qdrant(settings);
    QdrantResult result;
    result.collection = alias + "-" + digest_of(collection);
    result.points = static_cast<std::int64_t>(collection.chunks.size());
    const std::vector<std::string> there = qdrant.collections();
    const auto exists = [&there](const std::string& name) { return std::find(there.begin(), there.end(), name) != there.end(); };
    if (exists(alias))
        throw_error(ExitCode::usage, "qdrant: {} is a collection of {} and cannot be an alias; choose another name, or delete it", alias,
                    shown_url(settings.url));
    const std::string before = qdrant.target_of(alias);
    result.unchanged = before == result.collection && qdrant.count(result.collection) == result.points;
    if (!result.unchanged) {
        if (!exists(result.collection))
            qdrant.call("PUT", "/collections/" + result.collection,
                        fmt::format(R"({{"vectors":{{"size":{},"distance":"Cosine"}}}})", collection.dimensions));
        send_points(qdrant, collection, result.collection, settings);
        const std::int64_t count = qdrant.count(result.collection);
        if (count != result.points)
            throw_error(ExitCode::io_error, "qdrant: {} holds {} points, {} were sent; the alias {} is left as it was", result.collection, count,
                        result.points, alias);
        Json actions = Json::array();
        if (!before.empty()) actions.push_back({{"delete_alias", {{"alias_name", alias}}}});
        actions.push_back({{"create_alias", {{"collection_name", result.collection}, {"alias_name", alias}}}});
        qdrant.call("POST", "/collections/aliases", Json{{"actions", actions}}.dump());
    }
    for (const std::string& name : there) {
        if (name == result.collection || !is_of_alias(name, alias)) continue;  // what others made stays, although the alias named it
        qdrant.call("DELETE", "/collections/" + name);
        result.deleted.push_back(name);
    }
    return result;
}

}  // namespace temper
