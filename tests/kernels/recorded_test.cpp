// Ops in sections that a stream records: the same bits as op by op, and, where batches have as many rows, the same work on the device.
#include <cstdlib>

#include "common.h"
#include "kernels/ops.h"

namespace temper::test {
namespace {

std::vector<Segment> documents(std::initializer_list<std::int64_t> lengths) {
    std::vector<Segment> segments;
    std::int64_t at = 0;
    for (const std::int64_t length : lengths) {
        Segment segment;
        segment.begin = segment.key_begin = at;
        segment.length = length;
        segments.push_back(segment);
        at += length;
    }
    return segments;
}

constexpr std::int64_t kTokens = 160, kHeads = 4, kKeyHeads = 2;

struct Attention {
    Numbers q, k, v, d_out, out, d_q, d_k, d_v;
    Vector<float> lse;

    Attention(DType dtype, std::int64_t d)
        : q(dtype, kTokens, kHeads * d),
          k(dtype, kTokens, kKeyHeads * d),
          v(dtype, kTokens, kKeyHeads * d),
          d_out(dtype, kTokens, kHeads * d),
          out(dtype, kTokens, kHeads * d),
          d_q(dtype, kTokens, kHeads * d),
          d_k(dtype, kTokens, kKeyHeads * d),
          d_v(dtype, kTokens, kKeyHeads * d),
          lse(static_cast<std::size_t>(kTokens * kHeads)) {
        Random random(11);
        for (Numbers* numbers : {&q, &k, &v, &d_out}) numbers->random(random);
    }

    void run(Stream& stream, const std::vector<Segment>& segments, const AttentionRule& rule) {
        stream.run_recorded([&] {
            const View statistics = view_of(lse, {kTokens, kHeads});
            ops::attention(stream, out.heads(kHeads), statistics, q.heads(kHeads), k.heads(kKeyHeads), v.heads(kKeyHeads), segments, rule);
            ops::attention_backward(stream, d_q.heads(kHeads), d_k.heads(kKeyHeads), d_v.heads(kKeyHeads), d_out.heads(kHeads), out.heads(kHeads),
                                    statistics, q.heads(kHeads), k.heads(kKeyHeads), v.heads(kKeyHeads), segments, rule);
        });
        synchronize();
    }
};

class OpByOp {
  public:
    OpByOp() { setenv("TEMPER_CUDA_GRAPHS", "0", 1); }
    ~OpByOp() { unsetenv("TEMPER_CUDA_GRAPHS"); }
    TestStream stream{1};
};

TEST(recorded, attention_of_other_documents_is_the_same_work) {
    const std::vector<std::vector<Segment>> batches = {documents({160}), documents({100, 60}), documents({1, 2, 3, 4, 150}), documents({33, 64, 63}),
                                                       documents({16, 16, 16, 16, 16, 16, 16, 16, 16, 16})};
    for (const DType dtype : {DType::bf16, DType::f32})
        for (const std::int64_t window : {0, 20}) {
            TestStream stream(1);
            OpByOp plain;
            const AttentionRule rule{0.3f, window, 0.0f};
            Attention recorded(dtype, 32), wanted(dtype, 32);
            for (const auto& segments : batches) {
                recorded.run(stream, segments, rule);
                wanted.run(plain.stream, segments, rule);
                EXPECT_TRUE(recorded.out == wanted.out);
                EXPECT_TRUE(recorded.d_q == wanted.d_q);
                EXPECT_TRUE(recorded.d_k == wanted.d_k);
                EXPECT_TRUE(recorded.d_v == wanted.d_v);
                EXPECT_EQ(recorded.lse, wanted.lse);
            }
            if (kDevice == Device::cpu) continue;
            const cuda::GraphCounts counts = stream.cuda().graph_counts();
            EXPECT_EQ(counts.issued + counts.made + counts.replayed, 5);
            EXPECT_EQ(counts.replayed, 3);  // but the first two
        }
}

// Steps of the optimizer differ in their numbers alone.
TEST(recorded, updates_are_the_same_work) {
    TestStream stream(1);
    OpByOp plain;
    Random random(12);
    Numbers gradients(DType::f32, 1, 1000);
    gradients.random(random);
    Numbers p[2] = {{DType::f32, 1, 1000}, {DType::f32, 1, 1000}}, m[2] = {p[0], p[0]}, v[2] = {p[0], p[0]};
    for (int i = 0; i < 2; ++i) p[i].fill(0.5f), m[i].fill(0.0f), v[i].fill(0.0f);
    for (std::int64_t step = 1; step <= 5; ++step) {
        const ops::AdamW config{1e-2 / static_cast<double>(step), 0.9, 0.999, 1e-8, 0.1, step};
        for (int i = 0; i < 2; ++i) {
            Stream& used = i == 0 ? static_cast<Stream&>(stream) : plain.stream;
            used.run_recorded(
                [&] { ops::adamw(used, p[i].flat(), gradients.flat(), m[i].flat(), v[i].flat(), 1.0f / static_cast<float>(step), config); });
            synchronize();
        }
        EXPECT_TRUE(p[0] == p[1]) << step;
        EXPECT_TRUE(v[0] == v[1]) << step;
    }
    EXPECT_NE(p[0].at(0, 0), 0.5f);
    if (kDevice == Device::cuda) {
        EXPECT_EQ(stream.cuda().graph_counts().replayed, 3);
    }
}

}  // namespace
}  // namespace temper::test
