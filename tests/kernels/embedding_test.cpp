// Rows that are looked up, moved, scaled and summed, against plain code.
#include <functional>
#include <string>

#include "common.h"
#include "kernels/ops.h"

namespace temper::test {
namespace {

TEST(embedding, copies_rows_and_names_a_bad_id) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Random random(9);
        Numbers table(dtype, 11, 13, 16), out(dtype, 5, 13, 14);
        table.random(random);
        Vector<std::int32_t> ids = {3, 0, 10, 3, 7};
        TestStream stream(2);
        ops::embedding(stream, out.view(), view_of(ids), table.view());
        for (std::int64_t i = 0; i < 5; ++i) EXPECT_TRUE(out.row_equals(i, table, ids[static_cast<std::size_t>(i)]));
        if (kDevice != Device::cpu) continue;  // a device's ids were checked where they came from
        ids[2] = 11;
        try {
            ops::embedding(stream, out.view(), view_of(ids), table.view());
            FAIL();
        } catch (const Error& error) {
            EXPECT_STREQ(error.what(), "embedding: ids[2] is 11, expected 0 to 10, the rows of the table");
        }
    }
}

TEST(spread_rows, moves_rows_to_their_places_and_clears_the_others) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const std::vector<std::int32_t>& rows : {std::vector<std::int32_t>{0, 1, 5, 6}, {3, 4, 8}, {8}, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {}}) {
            Random random(3);
            Numbers before(dtype, 9, 300, 303), after(dtype, 9, 300, 303);
            before.random(random);
            for (std::int64_t r = 0; r < 9; ++r)
                for (std::int64_t c = 0; c < 300; ++c) after.set(r, c, before.at(r, c));
            TestStream stream(2);
            Vector<std::int32_t> memory(rows.begin(), rows.end());
            memory.push_back(0);
            ops::spread_rows(stream, after.view(), view_of(memory, {static_cast<std::int64_t>(rows.size())}));
            std::size_t next = 0;
            for (std::int64_t r = 0; r < 9; ++r) {
                const bool moved = next < rows.size() && rows[next] == r;
                for (std::int64_t c = 0; c < 300; ++c)
                    ASSERT_EQ(after.at(r, c), moved ? before.at(static_cast<std::int64_t>(next), c) : 0.0f) << r << " " << c;
                next += moved ? 1 : 0;
            }
        }
    TestStream stream(1);
    Numbers x(DType::f32, 4, 3);
    Vector<std::int32_t> falling = {2, 1};
    if (kDevice != Device::cpu) return;
    EXPECT_THROW(ops::spread_rows(stream, x.view(), view_of(falling)), Error);
}

// More than a CUDA device sets aside at a time.
TEST(spread_rows, moves_large_rows) {
    const std::int64_t width = 60000, n = 75;
    Numbers x(DType::f32, n, width);
    Vector<std::int32_t> rows;
    for (std::int32_t i = 0; i < n; ++i)
        if (i % 4 != 1) rows.push_back(i);
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t c = 0; c < width; ++c) x.set(r, c, static_cast<float>(1 + r + (c % 100) * n));
    TestStream stream(2);
    ops::spread_rows(stream, x.view(), view_of(rows));
    std::int64_t next = 0;
    for (std::int64_t r = 0; r < n; ++r) {
        for (std::int64_t c = 0; c < width; ++c) ASSERT_EQ(x.at(r, c), r % 4 == 1 ? 0.0f : static_cast<float>(1 + next + (c % 100) * n)) << r;
        next += r % 4 == 1 ? 0 : 1;
    }
}

TEST(embedding, takes_rows_of_a_packed_weight) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const std::int64_t width : {13, 32, 70}) {
            Random random(9);
            Numbers table(dtype, 37, width), out(dtype, 5, width, width + 3);
            table.random(random);
            Vector<std::int32_t> ids = {36, 0, 15, 16, 36};
            TestStream stream(2);
            const View weight = table.view();
            const PreparedLinear packed(stream, Span<const View>(&weight, 1), View(), {}, {false});
            ops::embedding(stream, out.view(), view_of(ids), packed);
            for (std::int64_t i = 0; i < 5; ++i) EXPECT_TRUE(out.row_equals(i, table, ids[static_cast<std::size_t>(i)])) << width;
            if (kDevice != Device::cpu) continue;
            ids[1] = -1;
            EXPECT_THROW(ops::embedding(stream, out.view(), view_of(ids), packed), Error);
        }
}

TEST(scale_rows, multiplies_each_by_its_own) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Random random(5);
        Numbers x(dtype, 4, 37, 40), expected(dtype, 4, 37, 40);
        x.random(random);
        const std::vector<float> factors = {0.5f, 0.0f, -3.0f, 1.25f};
        for (std::int64_t r = 0; r < 4; ++r)
            for (std::int64_t k = 0; k < 37; ++k) expected.set(r, k, x.at(r, k) * factors[static_cast<std::size_t>(r)]);
        TestStream stream(2);
        ops::scale_rows(stream, x.view(), factors);
        for (std::int64_t r = 0; r < 4; ++r) EXPECT_TRUE(x.row_equals(r, expected, r));
        EXPECT_THROW(ops::scale_rows(stream, x.view().rows(0, 3), factors), Error);
    }
}

TEST(embedding_backward, sums_rows_in_order_and_clears_the_others) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool accumulate : {false, true}) {
            Random random(5);
            Numbers d_out(dtype, 6, 150, 152);
            d_out.random(random);
            const std::vector<std::int32_t> ids = {3, 0, 3, 10, 3, 0};
            Vector<float> table(11 * 150, 2.0f), expected(table.size(), accumulate ? 2.0f : 0.0f);
            for (std::size_t i = 0; i < ids.size(); ++i)
                for (std::int64_t k = 0; k < 150; ++k)
                    expected[static_cast<std::size_t>(ids[i] * 150 + k)] += 1.5f * d_out.at(static_cast<std::int64_t>(i), k);
            TestStream stream(3);
            Vector<std::int32_t> given(ids.begin(), ids.end());
            const View d_table = view_of(table, {11, 150});
            ops::embedding_backward(stream, d_table, view_of(given), d_out.view(), 1.5f, accumulate);
            synchronize();
            EXPECT_EQ(table, expected);
            if (kDevice != Device::cpu) continue;
            given[5] = 11;
            EXPECT_THROW(ops::embedding_backward(stream, d_table, view_of(given), d_out.view(), 1.0f, accumulate), Error);
        }
}

// Many tokens, most of them rare, one in every third place: sums as one after another.
TEST(embedding_backward, sums_many_rows_in_order) {
    const std::int64_t n = 700, rows = 211, width = 45;
    Random random(6);
    Numbers d_out(DType::bf16, n, width), table(DType::f32, rows, width, 48), expected(DType::f32, rows, width);
    d_out.random(random);
    expected.fill(0.0f);
    Vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < n; ++i) ids.push_back(i % 3 == 0 ? 17 : (i * i + 5 * i) % 211);
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t c = 0; c < width; ++c) {
            const std::int64_t id = ids[static_cast<std::size_t>(i)];
            expected.set(id, c, expected.at(id, c) + 0.37f * d_out.at(i, c));
        }
    TestStream stream(2);
    ops::embedding_backward(stream, table.view(), view_of(ids), d_out.view(), 0.37f, false);
    for (std::int64_t r = 0; r < rows; ++r) EXPECT_TRUE(table.row_equals(r, expected, r)) << r;
}

// A weight that takes other numbers is the weight made of them.
TEST(PreparedLinear, replaced_is_as_made_anew) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas()) {
            Random random(7);
            Numbers first(dtype, 37, 45), other(DType::f32, 37, 45), rounded(dtype, 37, 45), x(dtype, 5, 45), y(dtype, 5, 37), expected(dtype, 5, 37);
            for (Numbers* numbers : {&first, &other, &x}) numbers->random(random);
            for (std::int64_t r = 0; r < 37; ++r)
                for (std::int64_t k = 0; k < 45; ++k) rounded.set(r, k, other.at(r, k));
            TestStream stream(2, isa);
            const View before = first.view(), after = rounded.view();
            PreparedLinear changed(stream, Span<const View>(&before, 1), View(), {}, {});
            const PreparedLinear anew(stream, Span<const View>(&after, 1), View(), {}, {});
            changed.replace(stream, other.view());
            ops::linear(stream, y.view(), x.view(), changed, View());
            ops::linear(stream, expected.view(), x.view(), anew, View());
            for (std::int64_t i = 0; i < 5; ++i) EXPECT_TRUE(y.row_equals(i, expected, i)) << name_of(isa);
            EXPECT_THROW(changed.replace(stream, x.view()), Error);
        }
}

}  // namespace
}  // namespace temper::test
