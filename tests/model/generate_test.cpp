// Greedy generation from the cache, for every family: each token is the likeliest of a whole forward pass over what stands before it, and a
// prompt's continuation does not depend on the prompts beside it.
#include <algorithm>
#include <cstring>
#include <map>

#include <gtest/gtest.h>
#include <malloc.h>

#include "kernels/random.h"
#include "model/generate.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

using Tokens = std::vector<std::int32_t>;

class GenerateGolden : public ::testing::TestWithParam<std::string> {
  protected:
    GenerateGolden() : files_(test::golden_models() / GetParam()), stream_(2), decoder_(stream_, files_, {}, {DType::f32, false, 256}) {}

    Tokens prompt(std::uint64_t seed, std::size_t length) const {
        Tokens tokens(length);
        for (std::size_t i = 0; i < length; ++i)
            tokens[i] = static_cast<std::int32_t>(uniform(seed, 0, i) * static_cast<float>(files_.config().vocab_size));
        return tokens;
    }

    std::int32_t likeliest_after(Tokens& tokens) {
        const auto n = static_cast<std::int64_t>(tokens.size());
        std::vector<std::int32_t> positions(tokens.size());
        for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
        TokenBatch batch;
        batch.ids = View(tokens.data(), DType::i32, {n});
        batch.positions = View(positions.data(), DType::i32, {n});
        Segment segment;
        segment.length = n;
        batch.segments = {segment};
        Activations activations(Device::cpu, files_.config(), {}, DType::f32, n, Activations::Keep::nothing);
        const View hidden = decoder_.forward(batch, activations);
        std::int32_t last = static_cast<std::int32_t>(n - 1);
        std::vector<float> gathered(static_cast<std::size_t>(files_.config().hidden_size)),
            logits(static_cast<std::size_t>(files_.config().vocab_size));
        decoder_.logits(View(logits.data(), DType::f32, {1, files_.config().vocab_size}), hidden, View(&last, DType::i32, {1}),
                        View(gathered.data(), DType::f32, {1, files_.config().hidden_size}));
        return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }

    ModelFiles files_;
    Stream stream_;
    Decoder decoder_;
};

TEST_P(GenerateGolden, TokensFromTheCacheAreThoseOfAWholePass) {
    GenerateSettings settings;
    settings.temperature = 0.0;
    settings.max_new_tokens = 12;
    settings.slots = 3;
    const std::vector<Tokens> prompts = {prompt(1, 1), prompt(2, 25), prompt(3, 70), prompt(4, 9)};
    const std::vector<Generated> together = generate(decoder_, prompts, {}, settings, {});
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        EXPECT_EQ(generate(decoder_, {prompts[i]}, {}, settings, {})[0].ids, together[i].ids);
        Tokens tokens = prompts[i];
        for (const std::int32_t id : together[i].ids) {
            ASSERT_EQ(likeliest_after(tokens), id) << "prompt " << i << " after " << tokens.size();
            tokens.push_back(id);
        }
        EXPECT_EQ(tokens.size(), prompts[i].size() + 12);
    }
}

// Rows that come while others run, that are ended early, and that take a slot in which another row was.
TEST_P(GenerateGolden, RowsComeAndGoBetweenPasses) {
    GenerateSettings settings;
    settings.max_new_tokens = 9;
    const std::vector<Tokens> prompts = {prompt(5, 40), prompt(6, 3), prompt(7, 60)};
    std::vector<Tokens> alone, got(3);
    for (const Tokens& one : prompts) alone.push_back(generate(decoder_, {one}, {}, settings, {})[0].ids);
    GenerationSession session(decoder_, {}, {2, 80, 64});
    const auto admit = [&](std::uint64_t key) {
        GenerationRow row{key, prompts[key], 9, {}, 0};
        return session.admit(row);
    };
    const auto told = [&](std::uint64_t key, const Generated& so_far, bool last) {
        got[key] = so_far.ids;
        EXPECT_EQ(last, so_far.ids.size() == 9);
        return !(key == 0 && so_far.ids.size() == 4);  // the first row is ended after its fourth token
    };
    ASSERT_TRUE(admit(0));
    session.step(told);
    ASSERT_TRUE(admit(1));
    EXPECT_FALSE(admit(2));
    for (int i = 0; i < 3; ++i) session.step(told);
    EXPECT_EQ(session.running(), 1);
    ASSERT_TRUE(admit(2));
    for (int i = 0; i < 9; ++i) session.step(told);
    EXPECT_TRUE(session.empty());
    alone[0].resize(4);
    EXPECT_EQ(got, alone);
    GenerationRow long_row{7, Tokens(80, 1), 1, {}, 0};
    EXPECT_THROW(session.admit(long_row), Error);
}

// Where the numbers of one row are damaged, that row alone fails.
TEST(GenerationSession, ARowWithoutNumbersFailsAlone) {
    const TemporaryDirectory directory;
    std::filesystem::copy(test::golden_models() / "llama3_scaled", directory.path(), std::filesystem::copy_options::recursive);
    const std::filesystem::path weights = directory.path() / "model.safetensors";
    std::string bytes = read_file(weights);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    const Json embedding = Json::parse(bytes.substr(8, header)).at("model.embed_tokens.weight");
    const std::size_t begin = embedding["data_offsets"][0], end = embedding["data_offsets"][1], rows = embedding["shape"][0];
    const std::size_t row = (end - begin) / rows, damaged = 7;
    std::memset(bytes.data() + 8 + header + begin + damaged * row, 0xff, row);  // no number, in any form of floats
    directory.put("model.safetensors", bytes);

    const ModelFiles files(directory.path());
    Stream stream(2);
    const Decoder decoder(stream, files, {}, {DType::f32, false, 256});
    const Tokens whole = {1, 2, 3}, broken = {1, damaged, 3};
    GenerationSession session(decoder, {}, {3, 80, 64});
    std::map<std::uint64_t, Generated> got;
    for (const std::uint64_t key : {0, 1, 2}) {
        GenerationRow one{key, key == 1 ? broken : whole, 5, {}, 0};
        ASSERT_TRUE(session.admit(one));
    }
    const auto told = [&](std::uint64_t key, const Generated& so_far, bool last) {
        got[key] = so_far;
        EXPECT_EQ(last, key == 1 || so_far.ids.size() == 5);
        return true;
    };
    session.step(told);
    EXPECT_EQ(session.running(), 2);
    EXPECT_NE(got[1].failure.find("not finite"), std::string::npos);
    GenerationRow next{3, whole, 5, {}, 0};  // in the slot that it had
    ASSERT_TRUE(session.admit(next));
    while (!session.empty()) session.step(told);
    GenerateSettings settings;
    settings.max_new_tokens = 5;
    const Tokens alone = generate(decoder, {whole}, {}, settings, {})[0].ids;
    for (const std::uint64_t key : {0, 2, 3}) {
        EXPECT_EQ(got[key].ids, alone);
        EXPECT_EQ(got[key].failure, "");
    }
    EXPECT_THROW(generate(decoder, {whole, broken}, {}, settings, {}), Error);
}

TEST(GenerationSession, ItsMemoryIsPredicted) {
    const ModelFiles files(test::golden_models() / "llama3_scaled");
    Stream stream(1);
    const Decoder decoder(stream, files, {}, {DType::bf16, false, 8192});
    const GenerationSession::Limits limits{16, 8192, 2048};
    const auto in_use = [] {
        const auto heap = mallinfo2();
        return static_cast<double>(heap.uordblks + heap.hblkhd);
    };
    const double before = in_use();
    const GenerationSession session(decoder, {}, limits);
    const double taken = in_use() - before, predicted = static_cast<double>(GenerationSession::predict_bytes(decoder, limits));
    EXPECT_GE(taken, predicted);
    EXPECT_LE(taken, predicted + 4.0 * (2 << 20));  // each of its blocks begins at a large page
}

INSTANTIATE_TEST_SUITE_P(Models, GenerateGolden, ::testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
