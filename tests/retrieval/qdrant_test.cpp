// Against a stand-in for Qdrant in this process: what reaches it, what the alias names, and that a failure at any request leaves the alias whole.
#include "retrieval/qdrant.h"

#include <map>
#include <mutex>
#include <set>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/io/loopback_server.h"
#include "tests/support/expect_error.h"

namespace temper {
namespace {

using testing::LoopbackServer;

class FakeQdrant {
  public:
    std::map<std::string, std::map<std::string, Json>> collections;  // name -> point's id -> point
    std::map<std::string, std::string> aliases;
    int fail_at = -1, requests = 0;  // this request and all behind it are refused
    std::string key;

    LoopbackServer server{[this](const LoopbackServer::Request& request) { return answer(request); }};

  private:
    std::string answer(const LoopbackServer::Request& request) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!key.empty() && request.head.find("api-key: " + key) == std::string::npos) return refuse(401, "no key");
        if (fail_at >= 0 && requests >= fail_at) return refuse(400, "not now");
        ++requests;
        std::string path = request.target.substr(0, request.target.find('?'));
        const Json body = request.body.empty() ? Json() : Json::parse(request.body);
        const std::string line = request.method + " " + path;
        if (line == "GET /collections") {
            Json list = Json::array();
            for (const auto& [name, points] : collections) list.push_back({{"name", name}});
            return result({{"collections", list}});
        }
        if (line == "GET /aliases") {
            Json list = Json::array();
            for (const auto& [alias, name] : aliases) list.push_back({{"alias_name", alias}, {"collection_name", name}});
            return result({{"aliases", list}});
        }
        if (line == "POST /collections/aliases") {
            for (const Json& action : body.at("actions")) {
                if (action.contains("delete_alias")) aliases.erase(action["delete_alias"]["alias_name"].get<std::string>());
                else aliases[action["create_alias"]["alias_name"].get<std::string>()] = action["create_alias"]["collection_name"].get<std::string>();
            }
            return result(true);
        }
        const std::size_t slash = path.find('/', 13);
        const std::string name = path.substr(13, slash - 13), rest = slash == std::string::npos ? "" : path.substr(slash);
        if (request.method == "PUT" && rest.empty()) {
            EXPECT_EQ(body.at("vectors").at("distance"), "Cosine");
            collections[name];
            return result(true);
        }
        if (collections.count(name) == 0) return refuse(404, "Not found: Collection `" + name + "` doesn't exist!");
        if (request.method == "DELETE") {
            collections.erase(name);
            return result(true);
        }
        if (rest == "/points/count") return result({{"count", collections[name].size()}});
        EXPECT_EQ(request.target, path + "?wait=true");
        for (const Json& point : body.at("points")) collections[name][point.at("id").get<std::string>()] = point;
        return result({{"status", "completed"}});
    }
    static std::string result(const Json& json) { return LoopbackServer::answer(200, Json{{"result", json}, {"status", "ok"}}.dump()); }
    static std::string refuse(int status, const std::string& why) {
        return LoopbackServer::answer(status, Json{{"status", {{"error", why}}}}.dump());
    }
    std::mutex mutex_;
};

Collection sample(int count, const std::string& word) {
    Collection collection;
    collection.category = "post";
    collection.model = "m";
    collection.dimensions = 2;
    for (int i = 0; i < count; ++i) {
        collection.chunks.push_back({"d" + std::to_string(i) + "#0", "d" + std::to_string(i), 0, word, Json{{"author", "ann"}, {"ordinal", "own"}}});
        collection.vectors.push_back(0.1f * static_cast<float>(i));
        collection.vectors.push_back(1.0f / 3);
    }
    return collection;
}

QdrantSettings settings_for(const FakeQdrant& qdrant) {
    QdrantSettings settings;
    settings.url = qdrant.server.url();
    settings.batch = 4;
    settings.retries.attempts = 1;
    return settings;
}

TEST(Qdrant, PointsHoldTheChunksAndTheAliasMoves) {
    FakeQdrant qdrant;
    qdrant.collections["other"];
    qdrant.collections["posts-0123456789ab"];  // left by a run that was killed
    const QdrantSettings settings = settings_for(qdrant);
    const Collection first = sample(10, "one"), second = sample(3, "two");
    const QdrantResult result = upsert_to_qdrant(first, "posts", settings);
    EXPECT_EQ(qdrant.aliases, (std::map<std::string, std::string>{{"posts", result.collection}}));
    EXPECT_EQ(result.deleted, std::vector<std::string>{"posts-0123456789ab"});
    EXPECT_FALSE(result.unchanged);
    const auto& points = qdrant.collections[result.collection];
    ASSERT_EQ(points.size(), 10u);
    const Json& point = points.at(qdrant_point_id("d3#0"));
    EXPECT_EQ(point.at("vector")[0].get<float>(), 0.1f * 3);
    EXPECT_EQ(point.at("vector")[1].get<float>(), 1.0f / 3);
    EXPECT_EQ(point.at("payload"),
              (Json{{"author", "ann"}, {"ordinal", 0}, {"id", "d3#0"}, {"document", "d3"}, {"text", "one"}, {"category", "post"}}));
    EXPECT_TRUE(upsert_to_qdrant(first, "posts", settings).unchanged);
    const QdrantResult again = upsert_to_qdrant(second, "posts", settings);
    EXPECT_EQ(again.deleted, std::vector<std::string>{result.collection});
    EXPECT_EQ(qdrant.aliases["posts"], again.collection);
    EXPECT_EQ(qdrant.collections.size(), 2u);  // "other", and the new one
    EXPECT_EQ(upsert_to_qdrant(sample(0, ""), "none", settings).points, 0);
}

TEST(Qdrant, AFailureAtAnyRequestLeavesAWholeCollectionUnderTheAlias) {
    const Collection first = sample(10, "one"), second = sample(9, "two");
    for (int fail_at = 0;; ++fail_at) {
        FakeQdrant qdrant;
        const QdrantSettings settings = settings_for(qdrant);
        const std::string old_name = upsert_to_qdrant(first, "posts", settings).collection;
        qdrant.requests = 0;
        qdrant.fail_at = fail_at;
        bool failed = false;
        try {
            upsert_to_qdrant(second, "posts", settings);
        } catch (const Error& error) {
            failed = true;
            EXPECT_EQ(error.code(), ExitCode::io_error);
            EXPECT_NE(std::string(error.what()).find("not now"), std::string::npos) << error.what();
        }
        const std::string now = qdrant.aliases.at("posts");
        EXPECT_EQ(qdrant.collections.at(now).size(), now == old_name ? 10u : 9u) << fail_at;
        qdrant.fail_at = -1;
        const QdrantResult result = upsert_to_qdrant(second, "posts", settings);
        EXPECT_EQ(qdrant.aliases.at("posts"), result.collection);
        EXPECT_EQ(qdrant.collections.size(), 1u) << fail_at;
        EXPECT_EQ(qdrant.collections.at(result.collection).size(), 9u);
        if (!failed) {
            EXPECT_GE(fail_at, 8);
            break;
        }
    }
}

TEST(Qdrant, RefusalsSayWhatToDo) {
    FakeQdrant qdrant;
    QdrantSettings settings = settings_for(qdrant);
    qdrant.collections["posts"];
    EXPECT_ERROR(upsert_to_qdrant(sample(1, ""), "posts", settings), ExitCode::usage, "posts is a collection of");
    EXPECT_ERROR(upsert_to_qdrant(sample(1, ""), "a/b", settings), ExitCode::usage, "expected a plain name");
    qdrant.key = "secret";
    EXPECT_ERROR(upsert_to_qdrant(sample(1, ""), "new", settings), ExitCode::io_error, "status 401");
    settings.api_key_env = "TEMPER_TEST_QDRANT_KEY";
    unsetenv("TEMPER_TEST_QDRANT_KEY");
    EXPECT_ERROR(upsert_to_qdrant(sample(1, ""), "new", settings), ExitCode::usage, "TEMPER_TEST_QDRANT_KEY is not set");
    setenv("TEMPER_TEST_QDRANT_KEY", "secret", 1);
    EXPECT_EQ(upsert_to_qdrant(sample(1, ""), "new", settings).points, 1);
    settings.url = "http://127.0.0.1:1";
    EXPECT_ERROR(upsert_to_qdrant(sample(1, ""), "new", settings), ExitCode::io_error, "GET http://127.0.0.1:1/collections");
}

TEST(Qdrant, PointIdsAreUuids) {
    const std::string id = qdrant_point_id("doc#1");
    EXPECT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '8');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    std::set<std::string> ids;
    for (int i = 0; i < 1000; ++i) ids.insert(qdrant_point_id("doc#" + std::to_string(i)));
    EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace temper
