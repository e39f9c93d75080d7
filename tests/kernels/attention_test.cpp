// Attention against a twin in double code, on every instruction set, in both dtypes; its laws bit for bit; its gradients by finite differences.
#include <functional>
#include <string>

#include "attention_twin.h"
#include "kernels/cuda/attention_cudnn.h"

namespace temper::test {
namespace {

// Inputs and outputs of one call; q, k and v are columns of one buffer when the keys are the tokens.
struct Call {
    Numbers q, k, v, d_out, out, lse, d_q, d_k, d_v;

    Call(const AttentionCase& c, DType dtype, std::uint64_t seed)
        : q(dtype, c.tokens, c.heads * c.d, c.heads * c.d + 24),
          k(dtype, c.keys, c.kv_heads * c.d, c.kv_heads * c.d + 8),
          v(dtype, c.keys, c.kv_heads * c.d, c.kv_heads * c.d + 40),
          d_out(dtype, c.tokens, c.heads * c.d),
          out(dtype, c.tokens, c.heads * c.d),
          lse(DType::f32, c.tokens, c.heads, c.heads + 3),
          d_q(dtype, c.tokens, c.heads * c.d),
          d_k(dtype, c.keys, c.kv_heads * c.d),
          d_v(dtype, c.keys, c.kv_heads * c.d) {
        // Only rows of the segments hold numbers: whoever reads another row gets NaN.
        Random random(seed);
        const auto fill = [&random](Numbers& x, std::int64_t begin, std::int64_t count, float scale) {
            for (std::int64_t r = begin; r < begin + count; ++r)
                for (std::int64_t e = 0; e < x.columns(); ++e) x.set(r, e, scale * random.uniform());
        };
        for (const Segment& s : c.segments) {
            fill(q, s.begin, s.length, 2.0f), fill(d_out, s.begin, s.length, 1.0f);
            fill(k, s.key_begin, s.length, 2.0f), fill(v, s.key_begin, s.length, 1.0f);
            fill(k, s.prefix_begin, s.prefix_length, 2.0f), fill(v, s.prefix_begin, s.prefix_length, 1.0f);
        }
    }
    void forward(const AttentionCase& c, Stream& stream) {
        ops::attention(stream, out.heads(c.heads), lse.view(), q.heads(c.heads), k.heads(c.kv_heads), v.heads(c.kv_heads), c.segments, c.rule());
    }
    void infer(const AttentionCase& c, Stream& stream) {
        ops::attention(stream, out.heads(c.heads), {}, q.heads(c.heads), k.heads(c.kv_heads), v.heads(c.kv_heads), c.segments, c.rule());
    }
    void backward(const AttentionCase& c, Stream& stream) {
        ops::attention_backward(stream, d_q.heads(c.heads), d_k.heads(c.kv_heads), d_v.heads(c.kv_heads), d_out.heads(c.heads), out.heads(c.heads),
                                lse.view(), q.heads(c.heads), k.heads(c.kv_heads), v.heads(c.kv_heads), c.segments, c.rule());
    }
};

std::string where(const AttentionCase& c, DType dtype, Isa isa) {
    return std::string(name_of(isa)) + " " + name_of(dtype) + " heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " d " +
           std::to_string(c.d) + " tokens " + std::to_string(c.tokens);
}

void expect_close(const std::string& what, const Numbers& got, const std::vector<double>& wanted, double absolute, double relative) {
    for (std::int64_t r = 0; r < got.rows(); ++r)
        for (std::int64_t e = 0; e < got.columns(); ++e) {
            const double expected = wanted[static_cast<std::size_t>(r * got.columns() + e)];
            ASSERT_TRUE(close(got.at(r, e), expected, absolute, relative))
                << what << ": row " << r << " column " << e << " is " << got.at(r, e) << ", expected " << expected;
        }
}

Segment own(std::int64_t begin, std::int64_t length) { return {begin, length, begin, 0, 0, 0}; }
Segment branch(std::int64_t begin, std::int64_t length, std::int64_t prefix_begin, std::int64_t prefix_length) {
    return {begin, length, begin, prefix_begin, prefix_length, prefix_length};
}

void copy_row(Numbers& to, std::int64_t to_row, const Numbers& from, std::int64_t from_row) {
    for (std::int64_t e = 0; e < from.columns(); ++e) to.set(to_row, e, from.at(from_row, e));
}

// Training layouts: keys are the tokens. Gaps between segments belong to nobody.
std::vector<AttentionCase> training_cases() {
    return {
        {1, 1, 1, 1, 8, {own(0, 1)}},
        {70, 70, 2, 2, 20, {own(0, 3), own(3, 65), own(69, 1)}},
        {201, 201, 3, 1, 64, {own(0, 200)}},
        {150, 150, 9, 3, 64, {own(2, 17), own(20, 64), own(84, 63)}},
        {170, 170, 4, 1, 80, {own(0, 33), branch(33, 40, 0, 33), branch(73, 70, 0, 33), own(150, 19)}},
        {260, 260, 6, 2, 32, {own(0, 100), branch(100, 30, 0, 100), branch(130, 129, 0, 100)}},
        {90, 90, 3, 3, 128, {own(0, 64), branch(64, 10, 0, 64), branch(74, 9, 10, 3)}},
        {40, 40, 2, 1, 7, {own(0, 11), own(11, 1), branch(12, 25, 0, 12)}},
        {100, 100, 4, 2, 96, {own(1, 71), branch(72, 28, 1, 71)}},
        {60, 60, 4, 4, 192, {branch(20, 15, 0, 20), branch(35, 21, 0, 20)}},
        // Windows shorter than a block, longer, and across a prefix; caps that bend the logits.
        {330, 330, 4, 2, 16, {own(0, 300), own(301, 20)}, 5},
        {330, 330, 3, 1, 64, {own(0, 30), own(30, 300)}, 100},
        {260, 260, 6, 2, 32, {own(0, 150), branch(150, 30, 0, 150), branch(180, 79, 0, 150)}, 64},
        {90, 90, 2, 2, 64, {own(0, 90)}, 1},
        {150, 150, 2, 1, 256, {own(0, 130), own(130, 20)}, 0, 1.5f},
        {170, 170, 4, 1, 80, {own(0, 33), branch(33, 40, 0, 33), branch(73, 97, 0, 33)}, 50, 2.0f},
    };
}

TEST(attention, agrees_with_the_twin) {
    std::uint64_t seed = 1;
    for (const AttentionCase& c : training_cases()) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
            Call run(c, dtype, ++seed);
            const AttentionTwin twin(c, run.q, run.k, run.v, &run.d_out);
            const double unit = dtype == DType::f32 ? 1e-6 : 4e-3;
            for (const Isa isa : isas()) {
                SCOPED_TRACE(where(c, dtype, isa));
                TestStream stream(1, isa);
                run.out.fill(0), run.lse.fill(0), run.d_q.fill(quiet_nan()), run.d_k.fill(quiet_nan()), run.d_v.fill(quiet_nan());
                run.forward(c, stream);
                run.backward(c, stream);
                expect_close("out", run.out, twin.out, 2 * unit, 2 * unit);
                expect_close("lse", run.lse, twin.lse, 5e-6, 1e-6);
                // Gradients sum over up to 200 keys, or 200 queries times the heads of a group.
                expect_close("d_q", run.d_q, twin.d_q, 5 * unit, 5 * unit);
                expect_close("d_k", run.d_k, twin.d_k, 10 * unit, 5 * unit);
                expect_close("d_v", run.d_v, twin.d_v, 10 * unit, 5 * unit);
            }
        }
    }
}

// Encoders: a query sees its whole document. Short ones, such that fill whole blocks of keys, longer ones, prefixes and caps.
std::vector<AttentionCase> bidirectional_cases() {
    std::vector<AttentionCase> cases = {
        {1, 1, 1, 1, 8, {own(0, 1)}},
        {70, 70, 12, 12, 32, {own(0, 3), own(3, 40), own(44, 26)}},
        {330, 330, 2, 2, 32, {own(0, 256), own(256, 64), own(321, 9)}},
        {300, 300, 4, 2, 20, {own(0, 129), own(130, 63), own(193, 107)}},
        {290, 290, 2, 1, 64, {own(0, 65), branch(65, 200, 0, 65), own(265, 25)}},
        {90, 90, 2, 2, 7, {own(0, 71), own(71, 19)}, 0, 1.5f},
    };
    for (AttentionCase& c : cases) c.causal = false;
    return cases;
}

// On every instruction set, in both dtypes; and inference, which keeps no sums, gives the same bits.
void expect_forward_of_the_twin(const AttentionCase& c, std::uint64_t seed) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Call run(c, dtype, ++seed);
        const AttentionTwin twin(c, run.q, run.k, run.v, nullptr);
        const double unit = dtype == DType::f32 ? 1e-6 : 4e-3;
        for (const Isa isa : isas()) {
            SCOPED_TRACE(where(c, dtype, isa));
            TestStream stream(2, isa);
            run.out.fill(0), run.lse.fill(0);
            run.forward(c, stream);
            expect_close("out", run.out, twin.out, 2 * unit, 2 * unit);
            expect_close("lse", run.lse, twin.lse, 5e-6, 1e-6);
            Call inference = run;
            inference.infer(c, stream);
            EXPECT_TRUE(inference.out == run.out);
        }
    }
}

TEST(attention, of_both_directions_agrees_with_the_twin) {
    std::uint64_t seed = 300;
    for (const AttentionCase& c : bidirectional_cases()) expect_forward_of_the_twin(c, seed += 2);
}

// A document alone and among others.
void expect_same_bits_in_any_batch(std::initializer_list<std::int64_t> lengths, std::int64_t kv_heads, Numbers* bias) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t length : lengths) {
                AttentionCase alone{length, length, 4, kv_heads, 32, {own(0, length)}},
                    packed{400, 400, 4, kv_heads, 32, {own(0, 50), own(51, length), own(330, 70)}};
                alone.causal = packed.causal = false;
                alone.bias = packed.bias = bias;
                Call a(alone, dtype, 3), b(packed, dtype, 4);
                for (std::int64_t i = 0; i < length; ++i) copy_row(b.q, 51 + i, a.q, i), copy_row(b.k, 51 + i, a.k, i), copy_row(b.v, 51 + i, a.v, i);
                TestStream one(1, isa), two(2, isa);
                a.infer(alone, one), b.infer(packed, two);
                for (std::int64_t i = 0; i < length; ++i) ASSERT_TRUE(b.out.row_equals(51 + i, a.out, i)) << where(alone, dtype, isa) << " row " << i;
            }
}

TEST(attention, of_both_directions_has_the_same_bits_in_any_batch) { expect_same_bits_in_any_batch({1, 5, 20, 64, 77, 256}, 2, nullptr); }

// Distances within the table, at its ends and far beyond, on every side of the blocks and splits of keys.
TEST(attention, with_a_bias_by_distance_agrees_with_the_twin) {
    struct Shape {
        std::int64_t radius;
        AttentionCase of;
    };
    std::vector<Shape> shapes = {
        {0, {1, 1, 1, 1, 8, {own(0, 1)}}},
        {3, {70, 70, 12, 12, 32, {own(0, 3), own(3, 40), own(44, 26)}}},
        {128, {330, 330, 2, 2, 32, {own(0, 256), own(256, 64), own(321, 9)}}},
        {17, {300, 300, 4, 4, 20, {own(0, 129), own(130, 63), own(193, 107)}}},
        {40, {90, 90, 3, 3, 7, {own(0, 71), own(71, 19)}}},
        {31, {1300, 1300, 1, 1, 64, {own(0, 30), own(31, 1200)}}},
        {20, {70, 70, 2, 2, 96, {own(0, 70)}}},
    };
    std::uint64_t seed = 500;
    for (Shape& shape : shapes) {
        AttentionCase& c = shape.of;
        Random random(++seed);
        Numbers bias(DType::f32, c.heads, 2 * shape.radius + 1, 2 * shape.radius + 6);
        bias.random(random, 3.0f);
        c.causal = false, c.bias = &bias;
        expect_forward_of_the_twin(c, seed += 2);
    }
}

TEST(attention, with_a_bias_has_the_same_bits_in_any_batch) {
    Random random(9);
    Numbers bias(DType::f32, 4, 2 * 30 + 1);
    bias.random(random, 3.0f);
    expect_same_bits_in_any_batch({1, 20, 77, 256}, 4, &bias);
}

TEST(attention, of_both_directions_says_what_there_is_not) {
    AttentionCase c{4, 4, 1, 1, 8, {own(0, 4)}};
    c.causal = false;
    TestStream stream(1);
    Call run(c, DType::f32, 1);
    EXPECT_THROW(run.backward(c, stream), Error);
    c.window = 2;
    EXPECT_THROW(run.forward(c, stream), Error);

    c.window = 0;
    Numbers bias(DType::f32, 1, 5), even(DType::f32, 1, 4), of_more_heads(DType::f32, 2, 5);
    c.bias = &bias;
    bias.fill(0.0f);
    EXPECT_NO_THROW(run.forward(c, stream));
    for (const auto& spoil : std::vector<std::function<void(AttentionCase&)>>{
             [](AttentionCase& other) { other.causal = true; }, [](AttentionCase& other) { other.softcap = 2.0f; },
             [&](AttentionCase& other) { other.bias = &even; }, [&](AttentionCase& other) { other.bias = &of_more_heads; },
             [](AttentionCase& other) {
                 other.segments = {own(0, 2), branch(2, 2, 0, 2)};
             }}) {
        AttentionCase spoiled = c;
        spoil(spoiled);
        EXPECT_THROW(run.forward(spoiled, stream), Error);
    }
}

// Where the device is a real one and the build has cuDNN: documents end to end by it, the rest by our own kernels, the same function both times.
TEST(attention, cudnn_agrees_with_the_twin) {
    if (kDevice != Device::cuda || cuda::cudnn_version() == "none") GTEST_SKIP() << "no cuDNN";
    std::uint64_t seed = 90;
    const std::vector<AttentionCase> cases = {
        {201, 201, 3, 1, 64, {own(0, 200), own(200, 1)}},
        {700, 700, 8, 2, 128, {own(0, 130), own(130, 1), own(131, 512), own(643, 57)}},
        {90, 90, 4, 4, 32, {own(0, 30), own(30, 30), own(60, 30)}},
        {170, 170, 4, 1, 80, {own(0, 33), branch(33, 40, 0, 33), own(73, 97)}},
    };
    for (AttentionCase c : cases) {
        c.library = true;
        SCOPED_TRACE(where(c, DType::bf16, best_isa()));
        Call run(c, DType::bf16, ++seed), again(c, DType::bf16, seed);
        const AttentionTwin twin(c, run.q, run.k, run.v, &run.d_out);
        TestStream stream(1);
        const cuda::LibraryPasses before = cuda::library_passes();
        run.forward(c, stream), run.backward(c, stream);
        const bool plain = c.segments[1].prefix_length == 0;
        EXPECT_EQ(cuda::library_passes().taken - before.taken, plain ? 2 : 0);
        again.forward(c, stream), again.backward(c, stream);
        expect_close("out", run.out, twin.out, 8e-3, 8e-3);
        expect_close("lse", run.lse, twin.lse, 1e-5, 1e-5);
        expect_close("d_q", run.d_q, twin.d_q, 2e-2, 2e-2);
        expect_close("d_k", run.d_k, twin.d_k, 4e-2, 2e-2);
        expect_close("d_v", run.d_v, twin.d_v, 4e-2, 2e-2);
        EXPECT_TRUE(run.out == again.out && run.d_q == again.d_q && run.d_k == again.d_k && run.d_v == again.d_v);
    }
}

TEST(attention, threads_change_no_bit) {
    for (const AttentionCase& c : training_cases()) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
            Call one(c, dtype, 7), two(c, dtype, 7);
            TestStream first(1), second(2);
            one.forward(c, first), two.forward(c, second);
            one.backward(c, first), two.backward(c, second);
            EXPECT_TRUE(one.out == two.out && one.lse == two.lse) << where(c, dtype, best_isa());
            EXPECT_TRUE(one.d_q == two.d_q && one.d_k == two.d_k && one.d_v == two.d_v) << where(c, dtype, best_isa());
        }
    }
}

// Copies the row of every key and token of `from` to where `to` keeps it.
void expect_decoding_as_prefill(std::int64_t window, float softcap) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        for (const Isa isa : isas()) {
            const std::int64_t length = 135;
            const AttentionCase prefill{length, length, 6, 2, 64, {own(0, length)}, window, softcap};
            Call whole(prefill, dtype, 11);
            TestStream stream(1, isa);
            whole.forward(prefill, stream);
            // Three sequences decode together from one cache whose rows lie elsewhere; the middle one is ours.
            for (const std::int64_t i : {0, 1, 62, 63, 64, 65, 127, 128, 134}) {
                const AttentionCase decode{3,      500,    6, 2, 64, {{0, 1, 40, 0, 40, 40}, {1, 1, 300 + i, 300, i, i}, {2, 1, 200, 180, 3, 3}},
                                           window, softcap};
                Call step(decode, dtype, 12);
                copy_row(step.q, 1, whole.q, i);
                for (std::int64_t j = 0; j <= i; ++j) copy_row(step.k, 300 + j, whole.k, j), copy_row(step.v, 300 + j, whole.v, j);
                step.forward(decode, stream);
                ASSERT_TRUE(step.out.row_equals(1, whole.out, i)) << where(prefill, dtype, isa) << " row " << i;
                ASSERT_TRUE(step.lse.row_equals(1, whole.lse, i)) << where(prefill, dtype, isa) << " row " << i;
            }
        }
    }
}

TEST(attention, decoding_from_a_cache_gives_the_bits_of_prefill) {
    expect_decoding_as_prefill(0, 0.0f);
    expect_decoding_as_prefill(70, 0.0f);
    expect_decoding_as_prefill(3, 2.0f);
}

TEST(attention, inference_without_lse_gives_the_same_bits) {
    for (const AttentionCase& c : training_cases()) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
            Call with(c, dtype, 7), without(c, dtype, 7);
            TestStream stream(1);
            with.forward(c, stream), without.infer(c, stream);
            EXPECT_TRUE(with.out == without.out) << where(c, dtype, best_isa());
        }
    }
}

// The last 70 positions of a document of 2,200 in one call, and one by one, from a cache that holds it.
void expect_long_decoding_as_prefill(std::int64_t d, std::int64_t window) {
    const std::int64_t length = 2200, last = 70, before = length - last;
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const AttentionCase prefill{last, length, 4, 2, d, {{0, last, before, 0, before, before}}, window};
        Call whole(prefill, dtype, 31);
        TestStream stream(1);
        whole.forward(prefill, stream);
        if (kDevice == Device::cuda) {
            EXPECT_LE(stream.scratch_bytes(), ops::attention_backward_scratch(kDevice, dtype, last, 4, 2, d, length, 1));
        }
        const AttentionTwin twin(prefill, whole.q, whole.k, whole.v, nullptr);
        const double unit = dtype == DType::f32 ? 1e-6 : 4e-3;
        expect_close("out", whole.out, twin.out, 2 * unit, 2 * unit);
        expect_close("lse", whole.lse, twin.lse, 5e-6, 1e-6);
        for (const std::int64_t i : {0, 33, 69}) {
            const std::int64_t at = before + i;
            const AttentionCase decode{2, length + 1, 4, 2, d, {{0, 1, at, 0, at, at}, {1, 1, length, 0, 3, 3}}, window};
            Call step(decode, dtype, 32);
            copy_row(step.q, 0, whole.q, i);
            for (std::int64_t j = 0; j <= at; ++j) copy_row(step.k, j, whole.k, j), copy_row(step.v, j, whole.v, j);
            step.infer(decode, stream);
            ASSERT_TRUE(step.out.row_equals(0, whole.out, i)) << where(prefill, dtype, best_isa()) << " row " << i;
        }
    }
}

TEST(attention, decoding_from_a_long_cache_gives_the_bits_of_prefill) {
    expect_long_decoding_as_prefill(32, 0);
    expect_long_decoding_as_prefill(20, 0);
    expect_long_decoding_as_prefill(64, 1100);
    expect_long_decoding_as_prefill(256, 0);
}

TEST(attention, a_window_as_long_as_the_document_changes_no_bit) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas()) {
            AttentionCase c{170, 170, 4, 1, 80, {own(0, 33), branch(33, 40, 0, 33), branch(73, 97, 0, 33)}};
            Call whole(c, dtype, 9), windowed(c, dtype, 9);
            TestStream stream(1, isa);
            whole.forward(c, stream), whole.backward(c, stream);
            c.window = 130;
            windowed.forward(c, stream), windowed.backward(c, stream);
            EXPECT_TRUE(whole.out == windowed.out && whole.lse == windowed.lse) << where(c, dtype, isa);
            EXPECT_TRUE(whole.d_q == windowed.d_q && whole.d_k == windowed.d_k && whole.d_v == windowed.d_v) << where(c, dtype, isa);
        }
}

TEST(attention, a_row_has_the_same_bits_in_any_batch) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        for (const Isa isa : isas()) {
            // The same 77 tokens alone, behind other documents, and as 30 prefix tokens and a branch.
            for (const std::int64_t window : {0, 20}) {
                const AttentionCase alone{77, 77, 4, 1, 32, {own(0, 77)}, window},
                    packed{200, 200, 4, 1, 32, {own(0, 50), own(51, 77), own(130, 70)}, window},
                    split{140, 140, 4, 1, 32, {own(5, 30), branch(40, 31, 5, 30), branch(80, 47, 5, 30)}, window};
                Call a(alone, dtype, 3), b(packed, dtype, 4), s(split, dtype, 5);
                for (std::int64_t i = 0; i < 77; ++i) {
                    const std::int64_t at = i < 30 ? 5 + i : 80 + i - 30;
                    copy_row(b.q, 51 + i, a.q, i), copy_row(b.k, 51 + i, a.k, i), copy_row(b.v, 51 + i, a.v, i),
                        copy_row(b.d_out, 51 + i, a.d_out, i);
                    copy_row(s.q, at, a.q, i), copy_row(s.k, at, a.k, i), copy_row(s.v, at, a.v, i), copy_row(s.d_out, at, a.d_out, i);
                }
                TestStream stream(2, isa);
                a.forward(alone, stream), b.forward(packed, stream), s.forward(split, stream);
                a.backward(alone, stream), b.backward(packed, stream), s.backward(split, stream);
                for (std::int64_t i = 0; i < 77; ++i) {
                    const std::int64_t at = i < 30 ? 5 + i : 80 + i - 30;
                    ASSERT_TRUE(b.out.row_equals(51 + i, a.out, i) && b.lse.row_equals(51 + i, a.lse, i)) << where(alone, dtype, isa) << " row " << i;
                    ASSERT_TRUE(s.out.row_equals(at, a.out, i) && s.lse.row_equals(at, a.lse, i)) << where(split, dtype, isa) << " row " << i;
                    ASSERT_TRUE(b.d_q.row_equals(51 + i, a.d_q, i) && b.d_k.row_equals(51 + i, a.d_k, i) && b.d_v.row_equals(51 + i, a.d_v, i));
                    ASSERT_TRUE(s.d_q.row_equals(at, a.d_q, i)) << where(split, dtype, isa) << " row " << i;
                }
            }
        }
    }
}

void expect_gradients(const AttentionCase& c) {
    for (const Isa isa : isas()) {
        Call run(c, DType::f32, 21);
        TestStream stream(1, isa);
        run.forward(c, stream);
        run.backward(c, stream);
        const auto loss = [&] {
            run.forward(c, stream);
            double sum = 0;
            for (std::int64_t r = 0; r < c.tokens; ++r)
                for (std::int64_t e = 0; e < run.out.columns(); ++e) sum += static_cast<double>(run.out.at(r, e)) * run.d_out.at(r, e);
            return sum;
        };
        const auto check = [&](const char* name, Numbers& x, const Numbers& gradient) {
            for (std::int64_t r = 0; r < x.rows(); ++r)
                for (std::int64_t e = r % 3; e < x.columns(); e += 3) {
                    const float h = 0.01f, value = x.at(r, e);
                    x.set(r, e, value + h);
                    const double above = loss();
                    x.set(r, e, value - h);
                    const double below = loss();
                    x.set(r, e, value);
                    ASSERT_TRUE(close(gradient.at(r, e), (above - below) / (2.0 * h), 1e-3, 2e-3))
                        << name_of(isa) << " " << name << "(" << r << ", " << e << ") " << gradient.at(r, e) << " " << (above - below) / (2.0 * h);
                }
        };
        check("q", run.q, run.d_q), check("k", run.k, run.d_k), check("v", run.v, run.d_v);
    }
}

TEST(attention, gradients_by_finite_differences) {
    // Two documents, and a prefix that two branches share.
    AttentionCase c{30, 30, 4, 2, 8, {own(0, 5), own(5, 9), branch(14, 6, 5, 9), branch(20, 10, 5, 9)}};
    expect_gradients(c);
    c.window = 4, c.softcap = 1.5f;
    expect_gradients(c);
}

TEST(attention, says_what_is_wrong) {
    TestStream stream(1);
    Numbers q(DType::f32, 4, 24), k(DType::f32, 4, 16), out(DType::f32, 4, 24);
    const std::vector<Segment> segments = {own(0, 5)};
    const auto message = [&](const View& keys) {
        try {
            ops::attention(stream, out.heads(3), {}, q.heads(3), keys, keys, segments, {1.0f});
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_EQ(message(k.heads(2)), "attention: q (4, 3, 8) has 3 heads, expected a multiple of the 2 heads of k");
    EXPECT_EQ(message(k.heads(1)), "attention: k has shape (4, 1, 16), expected (4, 1, 8), heads as wide as those of q (4, 3, 8)");
    Numbers fits(DType::f32, 4, 8);
    EXPECT_EQ(message(fits.heads(1)), "attention: segment 0 is rows [0, +5), keys [0, +5), prefix [0, +0), of 4 rows and 4 keys");
}

}  // namespace
}  // namespace temper::test
