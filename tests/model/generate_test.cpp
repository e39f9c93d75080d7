// Greedy generation from the cache, for every family: each token is the likeliest of a whole forward pass over what stands before it, and a
// prompt's continuation does not depend on the prompts beside it.
#include <algorithm>

#include <gtest/gtest.h>

#include "kernels/random.h"
#include "model/generate.h"
#include "tests/support/golden.h"

namespace temper {
namespace {

using Tokens = std::vector<std::int32_t>;

class GenerateGolden : public testing::TestWithParam<std::string> {
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

INSTANTIATE_TEST_SUITE_P(Models, GenerateGolden, testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
