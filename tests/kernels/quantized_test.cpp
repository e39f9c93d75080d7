// A weight that stays quantised gives the bits of one that was dequantised whole and prepared the ordinary way, in every op that reads weights.
#include "kernels/quantized.h"

#include <cmath>

#include "kernels/fp8.h"
#include "kernels/nf4.h"
#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::isas;
using test::Matrix;
using test::TestStream;
using test::twice;
using test::Vector;
using test::view_of;

// Random bytes whose binary16 scales are small positive numbers wherever they lie.
QuantMatrix blocks(const Encoding& encoding, std::int64_t out, std::int64_t in, std::uint32_t seed) {
    QuantMatrix result;
    result.view.format.encoding = &encoding;
    result.view.out = out;
    result.view.in = in;
    std::mt19937 random(seed);
    for (std::int64_t i = 0; i < result.view.data_bytes(); ++i) result.data.push_back(static_cast<std::uint8_t>(random() & 0x37u));
    result.point_view();
    return result;
}

QuantMatrix four_bits(std::int64_t out, std::int64_t in, bool double_quant, std::uint32_t seed) {
    Matrix weight(DType::f32, out, in);
    weight.randomize(seed, 0.3f);
    QuantMatrix result;
    quantize_nf4(result, weight.view(), double_quant);
    return result;
}

// Every byte but those that are not numbers, and a scale for so many rows and columns.
QuantMatrix scaled(std::int64_t out, std::int64_t in, std::int64_t scale_rows, std::int64_t scale_columns, std::uint32_t seed) {
    QuantMatrix result;
    result.view.format.encoding = &encoding_f8;
    result.view.format.scale_rows = scale_rows;
    result.view.format.scale_columns = scale_columns;
    result.view.out = out;
    result.view.in = in;
    std::mt19937 random(seed);
    for (std::int64_t i = 0; i < result.view.data_bytes(); ++i) {
        const auto byte = static_cast<std::uint8_t>(random());
        result.data.push_back((byte & 127) == 127 ? std::uint8_t{126} : byte);
    }
    for (std::int64_t i = 0; i < result.view.scales(); ++i) result.scale.push_back(1e-3f * (1.0f + static_cast<float>(random() % 64) / 64.0f));
    result.point_view();
    return result;
}

struct Kind {
    const char* name;
    const Encoding* encoding;  // null: 4 bits
    bool double_quant;
    std::int64_t scale_rows = 0, scale_columns = 0;
};
const Kind kinds[] = {{"nf4", nullptr, false},
                      {"nf4_double", nullptr, true},
                      {"Q8_0", &encoding_q8_0, false},
                      {"Q4_0", &encoding_q4_0, false},
                      {"Q4_1", &encoding_q4_1, false},
                      {"Q5_0", &encoding_q5_0, false},
                      {"Q5_1", &encoding_q5_1, false},
                      {"IQ4_NL", &encoding_iq4_nl, false},
                      {"Q2_K", &encoding_q2_k, false},
                      {"Q3_K", &encoding_q3_k, false},
                      {"Q4_K", &encoding_q4_k, false},
                      {"Q5_K", &encoding_q5_k, false},
                      {"Q6_K", &encoding_q6_k, false},
                      {"IQ4_XS", &encoding_iq4_xs, false},
                      {"fp8", &encoding_f8, false, 1, 1 << 20},
                      {"fp8_blocks", &encoding_f8, false, 32, 64}};

// Both ways to prepare a weight of two parts, of which the second may be stored as plain bfloat16.
struct Pair {
    std::vector<QuantMatrix> parts;
    std::vector<AdapterSlot> slots;
    Vector<float> parameters;
    PreparedLinear kept, expanded;
    std::int64_t in, out;

    Pair(Stream& stream, DType dtype, const Kind& kind, std::int64_t in_, std::int64_t out_, bool adapted, bool dora = false, bool mixed = false)
        : in(in_), out(out_) {
        const std::int64_t first = out / 3;
        for (const std::int64_t rows : {first, out - first}) {
            const auto seed = static_cast<std::uint32_t>(rows);
            if (mixed && rows != first) parts.push_back(blocks(encoding_bf16, rows, in, seed));
            else if (kind.scale_rows > 0) parts.push_back(scaled(rows, in, kind.scale_rows, kind.scale_columns, seed));
            else if (kind.encoding != nullptr) parts.push_back(blocks(*kind.encoding, rows, in, seed));
            else parts.push_back(four_bits(rows, in, kind.double_quant, seed));
        }
        std::int64_t offset = 0;
        const auto add = [&](std::int64_t begin, std::int64_t size, std::int64_t rank) {
            slots.push_back({begin, size, rank, 0.5f, offset, offset + rank * in, -1, static_cast<std::int64_t>(slots.size())});
            offset += rank * (in + size);
            if (dora) slots.back().offset_m = offset, offset += size;
        };
        if (adapted) {
            add(0, first, 4);
            add(first, out - first, 9);
        }
        Matrix values(DType::f32, 1, offset + 1);
        values.randomize(3, 0.3f);
        for (std::int64_t i = 0; i < offset; ++i) parameters.push_back(values.at(0, i));
        std::vector<QuantView> views;
        std::vector<Vector<char>> memory;
        std::vector<View> wholes;
        for (const QuantMatrix& part : parts) {
            views.push_back(part.view);
            memory.emplace_back(static_cast<std::size_t>(part.view.elements() * size_of(dtype)));
            wholes.emplace_back(memory.back().data(), dtype, std::initializer_list<std::int64_t>{part.view.out, in});
            dequantize(wholes.back(), part.view);
        }
        Matrix bias(DType::f32, 1, out);
        bias.randomize(4);
        const View flat(bias.view().data, DType::f32, {out});
        kept = PreparedLinear(stream, Span<const QuantView>(views.data(), views.size()), dtype, flat, slots, {});
        expanded = PreparedLinear(stream, Span<const View>(wholes.data(), wholes.size()), flat, slots, {});
        for (PreparedLinear* linear : {&kept, &expanded})
            if (adapted) linear->refresh_adapter(stream, view_of(parameters));
    }
};

void expect_same(const Matrix& a, const Matrix& b, const std::string& what) {
    ASSERT_EQ(a.rows(), b.rows());
    for (std::int64_t r = 0; r < a.rows(); ++r) ASSERT_EQ(a.row_bytes(r), b.row_bytes(r)) << what << " row " << r;
}

struct Passes {
    Matrix y, s, d_x, d_adapter;

    Passes(Stream& stream, const PreparedLinear& weight, Matrix& x, Matrix& d_y, const Dropout& dropout, std::int64_t parameters)
        : y(x.dtype(), x.rows(), weight.out(), 3),
          s(x.dtype(), x.rows(), std::max<std::int64_t>(1, weight.rank_total())),
          d_x(x.dtype(), x.rows(), x.columns(), 3),
          d_adapter(DType::f32, 2, std::max<std::int64_t>(1, parameters)) {
        const bool adapted = weight.rank_total() > 0;
        const std::int64_t half = x.rows() / 2;
        const std::vector<Leaf> leaves = {{0, half}, {half, x.rows() - half}};
        const View kept = adapted ? s.view() : View();
        twice(stream, [&] {
            ops::linear(stream, y.view(), x.view(), weight, kept, {}, dropout);
            ops::linear_backward(stream, d_x.view(), adapted ? d_adapter.view() : View(), d_y.view(), weight, x.view(), kept, leaves, dropout);
        });
    }
};

void check_linear(DType dtype, Isa isa, const Kind& kind, std::int64_t n, std::int64_t in, std::int64_t out, bool adapted, bool dora = false,
                  float drop = 0.0f, bool mixed = false) {
    TestStream stream(2, isa);
    const Pair pair(stream, dtype, kind, in, out, adapted, dora, mixed);
    Matrix x(dtype, n, in, 5), d_y(dtype, n, out, 7);
    x.randomize(8);
    d_y.randomize(9);
    Vector<std::int32_t> rows, tokens;
    for (std::int32_t i = 0; i < n; ++i) rows.push_back(i / 3), tokens.push_back(i % 3);
    Dropout dropout;
    dropout.probability = drop;
    dropout.rows = view_of(rows);
    dropout.tokens = view_of(tokens);
    const auto parameters = static_cast<std::int64_t>(pair.parameters.size());
    const Passes kept(stream, pair.kept, x, d_y, dropout, parameters), expanded(stream, pair.expanded, x, d_y, dropout, parameters);
    const std::string where = fmt::format("{} {} {} n {} in {} out {}", kind.name, name_of(dtype), name_of(isa), n, in, out);
    expect_same(kept.y, expanded.y, "y " + where);
    expect_same(kept.d_x, expanded.d_x, "d_x " + where);
    if (!adapted) return;
    expect_same(kept.s, expanded.s, "s " + where);
    expect_same(kept.d_adapter, expanded.d_adapter, "d_adapter " + where);
}

TEST(Quantized, LinearGivesTheBitsOfTheExpandedWeight) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32})
            for (const Kind& kind : kinds)
                for (const std::int64_t n : {1, 70}) check_linear(dtype, isa, kind, n, 768, 150, true);
}

TEST(Quantized, LinearOfOddShapes) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32})
            for (const Kind& kind : {kinds[0], kinds[1], kinds[14], kinds[15]})
                for (const std::int64_t in : {41, 100, 1100}) check_linear(dtype, isa, kind, 5, in, 77, in != 100);
}

TEST(Quantized, ManyRowsAndStripsOfALargeWeight) {
    for (const Isa isa : isas()) check_linear(DType::bf16, isa, kinds[1], 600, 192, 96, true);
    if (test::kDevice != Device::cpu) return;
    // More than 32 MiB as bfloat16: the CPU's strips.
    check_linear(DType::bf16, best_isa(), kinds[0], 40, 512, 36000, false);
    check_linear(DType::bf16, best_isa(), kinds[10], 3, 768, 24000, true);
}

TEST(Quantized, PartsOfSeveralFormats) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32}) check_linear(dtype, isa, kinds[12], 33, 256, 90, true, false, 0.0f, true);
}

TEST(Quantized, DropoutAndDora) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32})
            for (const bool dora : {false, true})
                for (const float drop : {0.0f, 0.25f}) {
                    check_linear(dtype, isa, kinds[1], 70, 192, 90, true, dora, drop);
                    check_linear(dtype, isa, kinds[4], 5, 96, 90, true, dora, drop);
                }
}

struct HeadPasses {
    Vector<float> nll;
    Vector<std::int32_t> correct;
    Matrix d_x, d_weight, embedded;

    HeadPasses(Stream& stream, const PreparedLinear& head, Matrix& x, const std::vector<std::int32_t>& rows, const std::vector<std::int32_t>& labels,
               Vector<std::int32_t>& ids)
        : nll(rows.size()),
          correct(rows.size()),
          d_x(x.dtype(), x.rows(), x.columns(), 3),
          d_weight(DType::f32, head.out(), head.in()),
          embedded(x.dtype(), static_cast<std::int64_t>(ids.size()), head.in()) {
        twice(stream, [&] {
            ops::linear_cross_entropy(stream, view_of(nll), view_of(correct), d_x.view(), x.view(), head, rows, labels, 0.5f, 30.0f);
            ops::linear_cross_entropy_weight(stream, d_weight.view(), x.view(), head, view_of(nll), rows, labels, 0.5f, 30.0f);
            ops::embedding(stream, embedded.view(), view_of(ids), head);
        });
    }
};

PreparedLinear head_of(Stream& stream, DType dtype, const QuantMatrix& weight, bool kept) {
    if (kept) return PreparedLinear(stream, Span<const QuantView>(&weight.view, 1), dtype, View(), {}, {});
    Vector<char> memory(static_cast<std::size_t>(weight.view.elements() * size_of(dtype)));
    const View whole(memory.data(), dtype, {weight.view.out, weight.view.in});
    dequantize(whole, weight.view);
    return PreparedLinear(stream, Span<const View>(&whole, 1), View(), {}, {});
}

TEST(Quantized, HeadGivesTheBitsOfTheExpandedWeight) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32})
            for (const Kind& kind : {kinds[0], kinds[2], kinds[4], kinds[12], kinds[14]}) {
                TestStream stream(2, isa);
                const std::int64_t in = kind.encoding == &encoding_q6_k ? 256 : 96, vocabulary = 1100, n = 140;
                const QuantMatrix weight = kind.encoding == nullptr ? four_bits(vocabulary, in, false, 1)
                                           : kind.scale_rows > 0    ? scaled(vocabulary, in, kind.scale_rows, kind.scale_columns, 1)
                                                                    : blocks(*kind.encoding, vocabulary, in, 1);
                Matrix x(dtype, n, in, 5);
                x.randomize(8, 0.1f);
                std::vector<std::int32_t> rows, labels;
                for (std::int32_t i = 0; i < n; i += 1 + i % 2) rows.push_back(i), labels.push_back(i * 31 % static_cast<std::int32_t>(vocabulary));
                Vector<std::int32_t> ids;
                for (const std::int32_t id : {0, 511, 512, 1099, 3}) ids.push_back(id);
                const PreparedLinear kept = head_of(stream, dtype, weight, true), expanded = head_of(stream, dtype, weight, false);
                const HeadPasses a(stream, kept, x, rows, labels, ids), b(stream, expanded, x, rows, labels, ids);
                const std::string where = fmt::format("{} {} {}", kind.name, name_of(dtype), name_of(isa));
                EXPECT_TRUE(std::equal(a.nll.begin(), a.nll.end(), b.nll.begin())) << where;
                EXPECT_TRUE(std::equal(a.correct.begin(), a.correct.end(), b.correct.begin())) << where;
                expect_same(a.d_x, b.d_x, "d_x " + where);
                expect_same(a.d_weight, b.d_weight, "d_weight " + where);
                expect_same(a.embedded, b.embedded, "embedded " + where);
            }
}

// All 256 of them, what lies between two neighbours, and what lies above the largest.
TEST(Quantized, Floats8) {
    EXPECT_EQ(from_f8(0x7e), 448.0f);
    EXPECT_EQ(from_f8(0x01), 0x1p-9f);
    EXPECT_EQ(from_f8(0x08), 0x1p-6f);
    EXPECT_EQ(from_f8(0xb8), -1.0f);
    EXPECT_TRUE(std::isnan(from_f8(0x7f)) && std::isnan(from_f8(0xff)));
    for (int code = 0; code < 127; ++code) {
        const auto low = static_cast<std::uint8_t>(code);
        const float value = from_f8(low);
        EXPECT_EQ(to_f8(value), code);
        EXPECT_EQ(to_f8(-value), code | 128);
        if (code == 126) break;
        const float next = from_f8(static_cast<std::uint8_t>(code + 1)), middle = (value + next) / 2;
        EXPECT_EQ(to_f8(middle), code % 2 == 0 ? code : code + 1);
        EXPECT_EQ(to_f8(std::nextafter(middle, 0.0f)), code);
        EXPECT_EQ(to_f8(std::nextafter(middle, 1e9f)), code + 1);
    }
    EXPECT_EQ(to_f8(1e9f), 126);
    EXPECT_EQ(to_f8(-INFINITY), 254);
    EXPECT_EQ(to_f8(NAN), 127);
}

// The largest magnitude of a row takes the largest float; rows are apart.
TEST(Quantized, Floats8OfAWeight) {
    Matrix weight(DType::f32, 3, 40);
    weight.randomize(3, 0.3f);
    for (std::int64_t k = 0; k < 40; ++k) weight.set(1, k, 0.0f);
    weight.set(2, 7, -9.0f);
    QuantMatrix quantized;
    quantize_f8(quantized, weight.view());
    EXPECT_EQ(quantized.scale[2], 9.0f / 448.0f);
    EXPECT_EQ(quantized.data[87], 254);
    for (std::int64_t row = 0; row < 3; ++row) {
        float numbers[40];
        dequantize(numbers, quantized.view, row, 0, 40);
        for (std::int64_t k = 0; k < 40; ++k)
            EXPECT_NEAR(numbers[k], weight.at(row, k),
                        std::fabs(weight.at(row, k)) / 16.0f + quantized.scale[static_cast<std::size_t>(row)] * 0x1p-10f);
    }
}

TEST(Quantized, CountsItsBytes) {
    TestStream stream(1);
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Kind& kind : kinds) {
            const Pair pair(stream, dtype, kind, 768, 1536, true);
            std::vector<QuantShape> shapes;
            std::int64_t stored = 0;
            for (const QuantMatrix& part : pair.parts) {
                shapes.push_back(part.view);
                stored += part.view.data_bytes();
            }
            // The prediction covers all outputs with one adapter of the summed rank; slots of their own are padded a little further.
            const auto predicted = static_cast<double>(
                PreparedLinear::predict_bytes(dtype, Span<const QuantShape>(shapes.data(), shapes.size()), pair.kept.rank_total(), true, {}));
            EXPECT_NEAR(static_cast<double>(pair.kept.bytes()) / predicted, 1.0, 0.35) << kind.name;
            const auto plain =
                static_cast<double>(PreparedLinear::predict_bytes(dtype, Span<const QuantShape>(shapes.data(), shapes.size()), 0, true, {}));
            EXPECT_LT(plain, 1.14 * static_cast<double>(stored) + 16384) << kind.name;
        }
}

}  // namespace
}  // namespace temper
