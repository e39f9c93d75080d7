#include "serve/config.h"

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

class ServeConfigTest : public ::testing::Test {
  protected:
    ServeConfig load(const std::string& yaml, const std::vector<std::string>& overrides = {}) const {
        return load_serve_config(directory_.put("serve.yaml", yaml), overrides);
    }
    TemporaryDirectory directory_;
};

TEST_F(ServeConfigTest, NamesComeFromTheRegistryOrTheFolder) {
    ServeConfig config = load("model: models/small/\nembedding_model: ./models/mini\n");
    EXPECT_EQ(config.generation_id(), "small");
    EXPECT_EQ(config.embedding_id(), "mini");
    config = load("model: models/small\nregistry: {directory: r, name: tickets}\n", {"embedding_model=e", "embedding_name=vectors"});
    EXPECT_EQ(config.generation_id(), "tickets");
    EXPECT_EQ(config.embedding_id(), "vectors");
    EXPECT_EQ(config.registry.alias, "production");
    EXPECT_EQ(load("model: m\n", {"served_name=mine"}).generation_id(), "mine");
}

TEST_F(ServeConfigTest, RefusesWhatDoesNotGoTogether) {
    EXPECT_ERROR(load("port: 1\n"), ExitCode::usage, "nothing to serve");
    EXPECT_ERROR(load("registry: {directory: r}\n"), ExitCode::usage, "registry.name is missing");
    EXPECT_ERROR(load("adapter: a\nregistry: {directory: r, name: n}\n"), ExitCode::usage, "serve.yaml:1:1: adapter and registry.directory");
    EXPECT_ERROR(load("embedding_model: e\nadapter: a\n"), ExitCode::usage, "needs its model");
    EXPECT_ERROR(load("model: m\nembedding_model: other/m\n"), ExitCode::usage, "both models are called m");
    EXPECT_ERROR(load("model: m\nload_in_4bit: true\nload_in_fp8: true\n"), ExitCode::usage, "set one of");
    EXPECT_ERROR(load("embedding_model: e\nsystem_prompt: a@b\n"), ExitCode::usage, "serve.yaml:2:1: system_prompt: no model is served that chats");
    EXPECT_ERROR(load("model: m\nport: 70000\n"), ExitCode::usage, "serve.yaml:2:7: port");
    EXPECT_ERROR(load("model: m\nslotz: 3\n"), ExitCode::usage, "slots");
    EXPECT_ERROR(load_serve_config(directory_ / "absent.yaml", {}), ExitCode::missing_input, "absent.yaml");
}

TEST_F(ServeConfigTest, TheExampleIsRead) {
    const ServeConfig config = load_serve_config(std::string(TEMPER_SOURCE_DIR) + "/jobs/serve.yaml", {});
    EXPECT_TRUE(config.generates());
    EXPECT_EQ(serve_json(config).at("limits").at("queue"), 64);
}

TEST_F(ServeConfigTest, ThePageHasEverySetting) {
    const std::string page = read_file(std::string(TEMPER_SOURCE_DIR) + "/docs/serve.md");
    EXPECT_NE(page.find(serve_markdown()), std::string::npos) << "its table is what temper-serve --markdown prints";
}

}  // namespace
}  // namespace temper
