// Steps of trainers that pack rows, from configurations and measured rows.
#include <fstream>

#include <gtest/gtest.h>

#include "io/yaml.h"
#include "tests/support/temporary_directory.h"
#include "tests/train/config_import_fixture.h"
#include "train/config.h"
#include "train/packing.h"

namespace temper {
namespace {

class Packed : public testing::Test {
  protected:
    // 40 rows: every fourth is long.
    Packed() {
        std::ofstream file(data_);
        for (int i = 0; i < 40; ++i) {
            std::string text;
            for (int j = 0; j < (i % 4 == 0 ? 24 : 4); ++j) text += "word ";
            file << Json{{"text", text}}.dump() << "\n";
        }
    }
    TemporaryDirectory work_;
    std::string data_ = (work_.path() / "rows.jsonl").string();
};

TEST_F(Packed, StepsAreCountedInMeasuredRows) {
    const std::string yaml =
        "model_name_or_path: m\ndataset_name: org/set\nuse_peft: true\nlora_dropout: 0\npacking: true\nmax_length: 160\n"
        "per_device_train_batch_size: 2\ngradient_accumulation_steps: 2\neval_strategy: 'no'\nsave_strategy: epoch\n";
    EXPECT_EQ(keys_of(import(yaml), ImportItem::Kind::unsupported), std::vector<std::string>{"train.global_batch_size"});
    const ImportResult result = import(yaml, {"model=" + tiny, "org/set=" + data_}, 2);
    EXPECT_TRUE(result.complete());
    EXPECT_EQ(at(result.config, "data.train")->at(0).at("path"), data_);
    const std::int64_t rows = at(result.config, "train.global_batch_size")->get<std::int64_t>();
    EXPECT_NE(reason_of(result, "train.global_batch_size").find("measured over 40 rows"), std::string::npos);
    EXPECT_GT(rows, 8);
    EXPECT_EQ(*at(result.config, "train.save_steps"), (40 + rows - 1) / rows);
    EXPECT_NO_THROW(parse_config(result.yaml, "ours", {}, TrainKind::sft));
}

TEST_F(Packed, AxolotlLaysAMicroBatchIntoOneSequence) {
    const std::string yaml = "base_model: " + tiny +
                             "\nadapter: lora\nbf16: true\nsample_packing: true\nsequence_len: 80\nmicro_batch_size: 2\n"
                             "gradient_accumulation_steps: 3\ndatasets: [{path: " +
                             data_ + ", type: completion}]\nsaves_per_epoch: 2\n";
    const ImportResult result = import(yaml);
    EXPECT_TRUE(result.complete()) << result.yaml;
    EXPECT_NE(reason_of(result, "train.global_batch_size").find("in a packed sequence of 160 tokens"), std::string::npos)
        << reason_of(result, "train.global_batch_size");
    EXPECT_NE(at(result.config, "train.save_steps"), nullptr);
}

// Figures of trl.data_utils.pack_dataset and of axolotl.utils.samplers.multipack over the same lengths.
TEST(Packing, CountsSequencesAsTheReferencesDo) {
    std::vector<std::int64_t> lengths;
    std::uint64_t state = 1;
    for (int i = 0; i < 2500; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        lengths.push_back(static_cast<std::int64_t>(1 + (state >> 33) % 700));
    }
    EXPECT_EQ(pack_best_fit(lengths, 512).sequences, 1668);
    EXPECT_EQ(pack_first_fit(lengths, 1024, 200).sequences, 905);
    EXPECT_EQ(pack_first_fit(lengths, 100000, 7).sequences, (2500 + 6) / 7);
    EXPECT_EQ(pack_best_fit({}, 10).mean(), 0.0);
}

}  // namespace
}  // namespace temper
