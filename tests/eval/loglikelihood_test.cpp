// Log-probabilities of continuations: the same bits alone, in any batch, and with shared beginnings; and equal to what plain logits say.
#include "eval/loglikelihood.h"

#include <cmath>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "model/extended_model.h"

namespace temper {
namespace {

const std::string tiny = std::string(TEMPER_SOURCE_DIR) + "/tests/goldens/tiny_chat";

LoglikelihoodRequest request(std::vector<std::int32_t> context, std::vector<std::int32_t> continuation) {
    return {std::move(context), std::move(continuation)};
}

// Choices behind one context, of one token and of several, equal requests, contexts that begin alike, and one that stands alone.
std::vector<LoglikelihoodRequest> requests() {
    std::vector<std::int32_t> context;
    for (int i = 0; i < 40; ++i) context.push_back((7 * i + 11) % 500);
    std::vector<LoglikelihoodRequest> all{request(context, {5}), request(context, {6}),   request(context, {7, 8, 9}), request(context, {7, 8}),
                                          request(context, {5}), request({3}, {4, 4, 4}), request({490, 2, 3}, {9})};
    std::vector<std::int32_t> other(context.begin(), context.begin() + 25);
    other.push_back(499);
    all.push_back(request(other, {1, 2}));
    return all;
}

struct Model {
    Stream stream{2};
    AdaptedModel adapted = open_adapted_model(tiny, "");
    std::unique_ptr<Comm> comm = single_comm();
    Decoder decoder;

    explicit Model(DType dtype) : decoder(stream, adapted.files(), adapted.lora, {dtype, false, 512}) {}
    std::vector<Loglikelihood> score(const std::vector<LoglikelihoodRequest>& asked, std::int64_t batch_tokens, std::int64_t max_length = 512) {
        LoglikelihoodSettings settings;
        settings.batch_tokens = batch_tokens;
        settings.max_length = max_length;
        return loglikelihoods(decoder, *comm, asked, settings, [](std::int64_t, std::int64_t) {});
    }
};

TEST(Loglikelihood, GroupsShareWhatIsEqualAndNoMore) {
    const std::vector<LoglikelihoodRequest> asked = requests();
    const std::vector<RequestGroup> groups = group_requests(asked, 512, 4096);
    std::int64_t tokens = 0, labels = 0, whole = 0;
    std::vector<int> seen(asked.size());
    for (const RequestGroup& group : groups) {
        tokens += group.tokens, labels += group.labels;
        for (const std::size_t index : group.requests) ++seen[index];
    }
    std::int64_t expected_labels = 0;
    for (const LoglikelihoodRequest& one : asked) {
        whole += static_cast<std::int64_t>(one.context.size() + one.continuation.size()) - 1;
        expected_labels += static_cast<std::int64_t>(one.continuation.size());
    }
    EXPECT_EQ(seen, std::vector<int>(asked.size(), 1));
    EXPECT_EQ(labels, expected_labels);
    // The five behind one context take it once, and a token or three each.
    EXPECT_LE(tokens, whole - 4 * 39);
    for (const RequestGroup& group : group_requests(asked, 512, 50)) EXPECT_TRUE(group.requests.size() == 1 || group.tokens <= 50);
}

// Questions behind the same examples, each with four choices of one token: examples once, a question once, a choice nothing.
TEST(Loglikelihood, ExamplesAndQuestionsAreComputedOnce) {
    std::vector<LoglikelihoodRequest> asked;
    for (std::int32_t question = 0; question < 10; ++question)
        for (std::int32_t choice = 0; choice < 4; ++choice) {
            std::vector<std::int32_t> context;
            for (std::int32_t i = 0; i < 100; ++i) context.push_back((5 * i + 3) % 400);
            for (std::int32_t i = 0; i < 8; ++i) context.push_back(400 + (question + i) % 90);
            asked.push_back(request(context, {choice + 1}));
        }
    const std::vector<RequestGroup> groups = group_requests(asked, 512, 4096);
    ASSERT_EQ(groups.size(), 1u);
    EXPECT_EQ(groups[0].tokens, 100 + 10 * 8);
    EXPECT_EQ(groups[0].prefix, 100);
    EXPECT_EQ(groups[0].labels, 40);
    Model model(DType::f32);
    const std::vector<Loglikelihood> together = model.score(asked, 4096), apart = model.score(asked, 1);
    for (const std::size_t i : {std::size_t{0}, std::size_t{3}, std::size_t{18}, std::size_t{39}}) {
        EXPECT_EQ(together[i].sum, model.score({asked[i]}, 4096)[0].sum) << i;
        EXPECT_EQ(together[i].sum, apart[i].sum) << i;
    }
    // One input whose continuation begins at two places
    const std::vector<LoglikelihoodRequest> cuts{request({1, 2, 3, 4}, {5}), request({1, 2}, {3, 4, 5}), request({1, 2, 3, 6}, {5})};
    const std::vector<Loglikelihood> both = model.score(cuts, 4096);
    for (std::size_t i = 0; i < cuts.size(); ++i) EXPECT_EQ(both[i].sum, model.score({cuts[i]}, 4096)[0].sum) << i;
}

TEST(Loglikelihood, NeitherBatchNorNeighboursChangeABit) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Model model(dtype);
        const std::vector<LoglikelihoodRequest> asked = requests();
        const std::vector<Loglikelihood> together = model.score(asked, 4096), apart = model.score(asked, 1);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const Loglikelihood alone = model.score({asked[i]}, 4096)[0];
            EXPECT_EQ(alone.sum, together[i].sum) << i;
            EXPECT_EQ(alone.sum, apart[i].sum) << i;
            EXPECT_EQ(alone.greedy, together[i].greedy);
        }
        EXPECT_EQ(together[0].sum, together[4].sum);
    }
}

// Probabilities of all one-token continuations sum to one, and exactly one of them is the likeliest.
TEST(Loglikelihood, OneTokenContinuationsAreADistribution) {
    Model model(DType::f32);
    std::vector<LoglikelihoodRequest> asked;
    const std::int64_t vocabulary = model.decoder.config().vocab_size;
    for (std::int32_t id = 0; id < vocabulary; ++id) asked.push_back(request({1, 2, 3, 4}, {id}));
    double sum = 0.0;
    int greedy = 0;
    std::size_t best = 0;
    const std::vector<Loglikelihood> found = model.score(asked, 1024);
    for (std::size_t i = 0; i < found.size(); ++i) {
        sum += std::exp(found[i].sum);
        greedy += found[i].greedy;
        if (found[i].sum > found[best].sum) best = i;
    }
    EXPECT_NEAR(sum, 1.0, 1e-5);
    EXPECT_EQ(greedy, 1);
    EXPECT_TRUE(found[best].greedy);
}

TEST(Loglikelihood, LongContextsLoseTheirBeginning) {
    Model model(DType::f32);
    const std::vector<LoglikelihoodRequest> asked = requests();
    LoglikelihoodRequest cut = asked[2];
    cut.context.erase(cut.context.begin(), cut.context.end() - 8);  // 8 + 3 - 1 tokens
    EXPECT_EQ(model.score({asked[2]}, 4096, 10)[0].sum, model.score({cut}, 4096)[0].sum);
    EXPECT_THROW(model.score({request({1}, {})}, 4096), Error);
    EXPECT_THROW(model.score({request({}, {1})}, 4096), Error);
    EXPECT_THROW(model.score({request({1}, {1, 2, 3})}, 4096, 2), Error);
}

}  // namespace
}  // namespace temper
