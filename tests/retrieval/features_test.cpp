// The pipeline as a whole, with a model of words.
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "retrieval/collection.h"
#include "retrieval/features_job.h"
#include "retrieval/features_run.h"
#include "tests/retrieval/word_embedder.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

class Features : public ::testing::Test {
  protected:
    Features() {
        config_.model = "words";
        config_.store = (temporary_.path() / "store").string();
        config_.chunking = {32, 8};
        config_.sources.resize(1);
        config_.sources[0].path = (temporary_.path() / "rows.jsonl").string();
        rows_ = {{"a", "post", text(1, 100)}, {"b", "post", text(2, 20)}, {"c", "article", text(3, 70)}};
    }

    struct Row {
        std::string id, category, text;
    };
    static std::string text(unsigned seed, int words) {
        std::mt19937 random(seed);
        std::string out;
        for (int i = 0; i < words; ++i) out += "word" + std::to_string(random() % 1000) + (i % 9 == 8 ? ". W" : " ");
        return out;
    }

    FeaturesResult make(const std::function<bool()>& stop = [] { return false; }) {
        std::ofstream file(temporary_.path() / "rows.jsonl");
        for (const Row& row : rows_) file << Json{{"id", row.id}, {"category", row.category}, {"text", row.text}, {"author", "Ada"}}.dump() << "\n";
        file.close();
        return make_features(
            config_,
            [&] {
                auto embedder = std::make_unique<testing::WordEmbedder>(model_);
                embedder->after_batch = after_batch_;
                return embedder;
            },
            stop, [&](const std::string& stage) { stages_.push_back(stage); });
    }
    Collection collection(const std::string& category) const { return read_collection(FeatureStore(config_.store).category(category).collection()); }
    std::string file(const std::string& category, const std::string& name) const {
        return read_file(FeatureStore(config_.store).category(category).path() / name);
    }

    TemporaryDirectory temporary_;
    FeaturesConfig config_;
    std::vector<Row> rows_;
    std::vector<std::string> stages_;
    std::string model_ = "words";
    std::function<void()> after_batch_;
};

TEST_F(Features, EachCategoryIsACollectionOfItsChunks) {
    config_.categories = {"repository"};
    const FeaturesResult result = make();
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(stages_, (std::vector<std::string>{"read", "load", "article", "post", "repository"}));
    ASSERT_EQ(result.categories.size(), 3u);
    EXPECT_EQ(result.categories.at("repository").to_json(), StageCounts().to_json());
    EXPECT_TRUE(collection("repository").chunks.empty());
    const Collection posts = collection("post");
    EXPECT_EQ(posts.model, "words");
    EXPECT_TRUE(posts.normalized);
    ASSERT_GE(posts.chunks.size(), 5u);
    EXPECT_EQ(posts.chunks[0].id, "a#0");
    EXPECT_EQ(posts.chunks[0].metadata, (Json{{"author", "Ada"}}));
    EXPECT_EQ(posts.chunks.back().document, "b");
    testing::WordEmbedder embedder;
    std::vector<float> vector(16);
    for (std::size_t i = 0; i < posts.chunks.size(); ++i) {
        EXPECT_LE(embedder.tokens(posts.chunks[i].text).size(), 32u);
        const std::vector<std::string> one = {posts.chunks[i].text};
        embedder.embed(one, EmbedRole::document, vector.data());
        EXPECT_TRUE(std::equal(vector.begin(), vector.end(), posts.vectors.begin() + static_cast<std::ptrdiff_t>(16 * i)));
    }
    const StageCounts all = result.total();
    EXPECT_EQ(all.documents, 3);
    EXPECT_EQ(all.cleaned, 3);
    EXPECT_EQ(all.vectors, all.chunks);
    EXPECT_EQ(all.indexed, all.chunks);
    EXPECT_EQ(result.embedded, all.chunks);
    EXPECT_EQ(features_status(config_.store)["total"], all.to_json());
}

TEST_F(Features, WhatDidNotChangeIsNotEmbeddedAgain) {
    const std::int64_t chunks = make().embedded;
    const std::string before = sha256_file(FeatureStore(config_.store).category("post").collection());
    const auto written = std::filesystem::last_write_time(FeatureStore(config_.store).category("post").collection());
    FeaturesResult again = make();
    EXPECT_EQ(again.embedded, 0);
    EXPECT_EQ(again.total().taken_over, chunks);
    EXPECT_EQ(std::filesystem::last_write_time(FeatureStore(config_.store).category("post").collection()), written);

    rows_[0].text += " and one more sentence.";  // its last chunk, and perhaps one more
    again = make();
    EXPECT_GE(again.embedded, 1);
    EXPECT_LE(again.embedded, 2);

    rows_[0].text = text(1, 100);
    rows_.push_back({"d", "post", text(4, 10)});
    EXPECT_EQ(make().embedded, 2);  // the new document, and the last chunk of the changed one
    rows_.pop_back();
    EXPECT_EQ(make().embedded, 0);
    EXPECT_EQ(sha256_file(FeatureStore(config_.store).category("post").collection()), before);

    model_ = "other words";
    EXPECT_EQ(make().embedded, chunks);
    EXPECT_EQ(collection("post").model, "other words");
}

TEST_F(Features, DocumentsThatAreGoneLeaveAndAnEmptyCategoryStays) {
    make();
    rows_ = {rows_[1]};
    const FeaturesResult result = make();
    EXPECT_EQ(result.total().documents, 1);
    EXPECT_EQ(collection("post").chunks.size(), 1u);
    EXPECT_TRUE(collection("article").chunks.empty());
    EXPECT_EQ(file("article", "documents.jsonl"), "");
    rows_.clear();
    EXPECT_EQ(make().total().chunks, 0);
}

TEST_F(Features, AStoppedRunGoesOnWhereItWas) {
    for (int i = 0; i < 30; ++i) rows_.push_back({"n" + std::to_string(i), "post", text(static_cast<unsigned>(100 + i), 60)});
    config_.embedding = {4, 8};
    make();
    const std::string undisturbed = sha256_file(FeatureStore(config_.store).category("post").collection());
    const std::int64_t chunks = features_status(config_.store)["total"]["chunks"];
    std::filesystem::remove_all(config_.store);

    std::int64_t batches = 0, embedded = 0;
    int runs = 0;
    after_batch_ = [&] { ++batches; };
    for (bool complete = false; !complete && runs < 100; ++runs) {
        const std::int64_t first = batches;
        const FeaturesResult result = make([&] { return batches >= first + 3; });
        embedded += result.embedded;
        complete = result.complete;
        if (!complete) {
            EXPECT_EQ(features_status(config_.store)["total"]["vectors"], embedded);
        }
    }
    EXPECT_GT(runs, 3);
    EXPECT_EQ(embedded, chunks);
    EXPECT_EQ(sha256_file(FeatureStore(config_.store).category("post").collection()), undisturbed);
    EXPECT_FALSE(std::filesystem::exists(FeatureStore(config_.store).category("post").path() / "parts"));
}

TEST_F(Features, DuplicatesAreListedAndTheFirstStays) {
    rows_.push_back({"same", "post", rows_[0].text});
    rows_.push_back({"near", "post", rows_[0].text + " more"});
    rows_.push_back({"a", "post", "another text with an id that there is"});
    rows_.push_back({"elsewhere", "article", rows_[0].text});
    const FeaturesResult result = make();
    EXPECT_EQ(result.categories.at("post").documents, 5);
    EXPECT_EQ(result.categories.at("post").duplicates, 3);
    EXPECT_EQ(result.categories.at("article").duplicates, 0);
    const std::string listed = file("post", "duplicates.jsonl");
    for (const char* reason :
         {"\"same\",\"of\":\"a\"", "\"near\",\"of\":\"a\"", "\"reason\":\"same id\"", "\"reason\":\"same text\"", "\"reason\":\"near\""})
        EXPECT_NE(listed.find(reason), std::string::npos) << reason << listed;
    config_.duplicates.near = false;
    EXPECT_EQ(make().categories.at("post").duplicates, 2);
}

TEST_F(Features, CleanedTextsCanBeRead) {
    rows_ = {{"x", "post", "<html><body><nav>Menu</nav><h1>Title</h1><p>Caf&eacute;\r\n</body></html>"}, {"empty", "post", " \n "}};
    const FeaturesResult result = make();
    EXPECT_EQ(result.total().documents, 2);
    EXPECT_EQ(result.total().cleaned, 1);
    EXPECT_EQ(result.empty, 1);
    EXPECT_EQ(result.rejected, 0);
    const Json empty = parse_json(read_file(FeatureStore(config_.store).rejected()), "rejected");
    EXPECT_EQ(empty["id"], "empty");
    EXPECT_TRUE(empty["place"].get<std::string>().ends_with("rows.jsonl:2"));
    EXPECT_EQ(empty["reason"], "empty: no text is left after cleaning");
    const Json row = parse_json(file("post", "documents.jsonl"), "documents");
    EXPECT_EQ(row["text"], "# Title\n\nCafé\n");
    EXPECT_EQ(row["metadata"]["title"], "Title");
}

TEST_F(Features, DocumentsThatCannotBeReadAreListedOrEndTheRun) {
    make();
    std::ofstream(temporary_.path() / "other.jsonl") << "{\"text\": 5}\n{\"id\": \"fine\", \"text\": \"fine text\"}\n";
    config_.sources[0].path = (temporary_.path() / "other.jsonl").string();
    const FeaturesResult result = make();
    EXPECT_EQ(result.rejected, 1);
    EXPECT_EQ(result.categories.at("article").documents, 1);
    EXPECT_NE(read_file(FeatureStore(config_.store).rejected()).find("other.jsonl:1"), std::string::npos);
    config_.on_bad_document = "fail";
    EXPECT_THROW(make(), Error);
}

// What one cannot read may be there all the same.
TEST_F(Features, WhatCannotBeReadStaysAsTheStoreHasIt) {
    const auto ids = [&](const std::string& category) {
        std::vector<std::string> all;
        JsonlReader documents(FeatureStore(config_.store).category(category).documents());
        for (Json row; documents.next(row);) all.push_back(row["id"]);
        return all;
    };
    const std::string other = (temporary_.path() / "other.jsonl.gz").string(), folder = (temporary_.path() / "docs").string();
    std::filesystem::create_directories(folder + "/sub");
    for (const char* name : {"/a.txt", "/b.txt", "/sub/c.txt"}) std::ofstream(folder + name) << "The text of " << name << ".";
    const auto write_packed = [&](std::size_t bytes) {
        std::string packed(1000, '\0');
        const std::string text = "{\"id\": \"x\", \"text\": \"The first of two.\"}\n{\"id\": \"y\", \"text\": \"The second.\"}\n";
        z_stream stream{};
        deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream.avail_in = static_cast<uInt>(text.size());
        stream.next_out = reinterpret_cast<Bytef*>(packed.data());
        stream.avail_out = static_cast<uInt>(packed.size());
        deflate(&stream, Z_FINISH);
        packed.resize(std::min<std::size_t>(bytes, stream.total_out));
        deflateEnd(&stream);
        std::ofstream(other, std::ios::binary) << packed;
    };
    write_packed(1000);
    config_.sources.resize(3);
    config_.sources[1].path = other;
    config_.sources[2].path = folder;
    make();
    ASSERT_EQ(ids("article"), (std::vector<std::string>{"c", "x", "y", folder + "/a.txt", folder + "/b.txt", folder + "/sub/c.txt"}));

    // A packed file that is cut off, and a document less elsewhere.
    write_packed(40);
    rows_.erase(rows_.begin());
    FeaturesResult result = make();
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.kept, 2);
    EXPECT_EQ(result.rejected, 1);
    EXPECT_EQ(result.embedded, 0);
    EXPECT_EQ(ids("article"), (std::vector<std::string>{"c", folder + "/a.txt", folder + "/b.txt", folder + "/sub/c.txt", "x", "y"}));
    EXPECT_EQ(ids("post"), std::vector<std::string>{"b"});
    EXPECT_NE(read_file(FeatureStore(config_.store).rejected()).find("ends early"), std::string::npos);
    config_.on_bad_document = "fail";
    EXPECT_THROW(make(), Error);

    // What is read again is what it says.
    config_.on_bad_document = "skip";
    write_packed(1000);
    std::filesystem::remove(folder + "/b.txt");
    EXPECT_EQ(make().kept, 0);
    EXPECT_EQ(ids("article"), (std::vector<std::string>{"c", "x", "y", folder + "/a.txt", folder + "/sub/c.txt"}));

    // A folder of which nobody can tell what is ignored.
    std::ofstream(folder + "/sub/.gitignore") << std::string((1 << 20) + 1, '#');
    result = make();
    EXPECT_EQ(result.kept, 1);
    EXPECT_EQ(result.rejected, 1);
    EXPECT_NE(read_file(FeatureStore(config_.store).rejected()).find(Json(folder + "/sub/").dump()), std::string::npos);
    EXPECT_EQ(ids("article"), (std::vector<std::string>{"c", "x", "y", folder + "/a.txt", folder + "/sub/c.txt"}));
    std::filesystem::remove(folder + "/sub/.gitignore");
    if (geteuid() == 0) return;  // root reads everything

    std::filesystem::permissions(folder + "/a.txt", std::filesystem::perms::none);
    std::filesystem::permissions(folder + "/sub", std::filesystem::perms::none);
    result = make();
    std::filesystem::permissions(folder + "/sub", std::filesystem::perms::owner_all);
    EXPECT_EQ(result.kept, 2);
    EXPECT_EQ(result.rejected, 2);
    std::filesystem::permissions(folder, std::filesystem::perms::none);
    result = make();
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
    EXPECT_EQ(result.kept, 2);
    EXPECT_EQ(result.rejected, 1);
    std::filesystem::permissions(other, std::filesystem::perms::none);
    EXPECT_EQ(make().kept, 3);
}

TEST_F(Features, ADamagedCollectionIsMadeAgain) {
    const std::int64_t chunks = make().embedded;
    const auto path = FeatureStore(config_.store).category("post").collection();
    std::string bytes = read_file(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_durable(path, bytes);
    const FeaturesResult result = make();
    EXPECT_GT(result.embedded, 0);
    EXPECT_LT(result.embedded, chunks);
    EXPECT_FALSE(collection("post").chunks.empty());
}

TEST_F(Features, OneProcessFillsAStore) {
    make();
    const FeatureStore store(config_.store);
    const FeatureStore::Lock held(store);
    try {
        make();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::run_locked);
    }
}

TEST_F(Features, AGraphIsSavedWithTheCollectionAndTakenAwayAgain) {
    config_.index.kind = "hnsw";
    make();
    const std::string graph = collection("post").graph;
    EXPECT_FALSE(graph.empty());
    EXPECT_EQ(make().embedded, 0);
    EXPECT_EQ(collection("post").graph, graph);
    config_.index.kind = "exact";
    make();
    EXPECT_TRUE(collection("post").graph.empty());
}

TEST(FeaturesConfig, IsCheckedAndOverridden) {
    const std::string yaml = "model: m\nsources:\n  - docs\n  - {path: a.jsonl, category: post, text_form: code}\nchunking: {chunk_tokens: 128}\n";
    const FeaturesConfig config = parse_features_config(yaml, "f.yaml", {"overlap_tokens=20", "index.kind=hnsw"});
    ASSERT_EQ(config.sources.size(), 2u);
    EXPECT_EQ(config.sources[0].path, "docs");
    EXPECT_EQ(config.sources[0].text_form, "auto");
    EXPECT_EQ(config.sources[1].category, "post");
    EXPECT_EQ(config.sources[1].text_form, "code");
    EXPECT_EQ(config.chunking.overlap_tokens, 20);
    const auto fails = [&](const std::string& text, const std::vector<std::string>& overrides, const char* expected) {
        try {
            parse_features_config(text, "f.yaml", overrides);
            ADD_FAILURE() << expected;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::usage);
            EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
        }
    };
    fails(yaml, {"overlap_token=1"}, "overlap_tokens");
    fails(yaml, {"chunking.overlap_tokens=65"}, "at most half");
    fails("model: m\nsources: [{path: x, category: 'a b'}]\n", {}, "category");
    fails("model: m\nsources: [{path: x, text_form: htm}]\n", {}, "html");
    fails("model: m\n", {}, "sources is missing");
    fails("sources: [x]\n", {}, "model is missing");
    EXPECT_EQ(features_hash(config), features_hash(parse_features_config(yaml, "g", {"overlap_tokens=20", "index.kind=hnsw", "store=elsewhere"})));
    EXPECT_NE(features_hash(config), features_hash(parse_features_config(yaml, "g", {})));
}

}  // namespace
}  // namespace temper
