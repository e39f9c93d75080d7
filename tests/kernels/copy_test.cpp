// Copies of rows: as they are, rounded, and between a CUDA device and the host.
#include <cstring>

#include "common.h"
#include "kernels/ops.h"

namespace temper::test {
namespace {

TEST(copy, moves_rows_of_any_stride) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const std::int64_t width : {1, 7, 16, 40, 137})
            for (const std::int64_t more : {0, 1, 8}) {
                Random random(3);
                Numbers from(dtype, 9, width, width + more), to(dtype, 9, width, width + 5);
                from.random(random);
                from.set(2, 0, quiet_nan());
                TestStream stream(2);
                ops::copy(stream, to.view(), from.view());
                for (std::int64_t r = 0; r < 9; ++r) EXPECT_TRUE(to.row_equals(r, from, r)) << width << " " << more;
            }
    TestStream stream(1);
    Vector<std::int32_t> from = {1, -2, 3, 0x7fc00001, 5, 6}, to(6);
    ops::copy(stream, view_of(to, {2, 3}), view_of(from, {2, 3}));
    synchronize();
    EXPECT_EQ(to, from);
}

TEST(copy, rounds_float_to_bfloat16) {
    for (const std::int64_t width : {1, 16, 137}) {
        Random random(4);
        Numbers from(DType::f32, 5, width, width + 3), to(DType::bf16, 5, width);
        from.random(random);
        TestStream stream(2);
        ops::copy(stream, to.view(), from.view());
        for (std::int64_t r = 0; r < 5; ++r)
            for (std::int64_t c = 0; c < width; ++c) ASSERT_EQ(to.at(r, c), from_bf16(to_bf16(from.at(r, c)))) << r << " " << c;
        EXPECT_THROW(ops::copy(stream, from.view(), to.view()), Error);
    }
}

TEST(put_rows, finds_every_row_its_place) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const std::int64_t width : {1, 7, 16, 40, 137}) {
            Random random(5);
            Numbers from(dtype, 4, width, width + 3), to(dtype, 6, width);
            from.random(random), to.fill(2.0f);
            Vector<std::int32_t> rows = {5, 6, 0, 1000000};  // two of them behind the last
            TestStream stream(2);
            ops::put_rows(stream, to.view(), from.view(), view_of(rows));
            EXPECT_TRUE(to.row_equals(5, from, 0)) << width;
            EXPECT_TRUE(to.row_equals(0, from, 2)) << width;
            for (std::int64_t r = 1; r < 5; ++r)
                for (std::int64_t c = 0; c < width; ++c) ASSERT_EQ(to.at(r, c), 2.0f) << r << " " << c;
            EXPECT_THROW(ops::put_rows(stream, to.view(), from.view().rows(0, 3), view_of(rows)), Error);
        }
}

#ifdef TEMPER_TEST_CUDA
// What fills up a batch: ids of no row, rows that go nowhere, tokens in no leaf.
TEST(rows_of_nobody, are_zeros_and_go_nowhere) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Random random(6);
        Numbers table(dtype, 5, 24), out(dtype, 4, 24), x(dtype, 6, 24), before(dtype, 6, 24);
        table.random(random), x.random(random);
        for (std::int64_t r = 0; r < 6; ++r)
            for (std::int64_t c = 0; c < 24; ++c) before.set(r, c, x.at(r, c));
        Vector<std::int32_t> ids = {4, 5, 0, 1000000}, rows = {1, 3, 6, 7};
        TestStream stream(1);
        ops::embedding(stream, out.view(), view_of(ids), table.view());
        ops::spread_rows(stream, x.view(), view_of(rows));
        EXPECT_TRUE(out.row_equals(0, table, 4));
        EXPECT_TRUE(out.row_equals(2, table, 0));
        EXPECT_TRUE(x.row_equals(1, before, 0));
        EXPECT_TRUE(x.row_equals(3, before, 1));
        for (std::int64_t c = 0; c < 24; ++c) {
            for (const std::int64_t r : {1, 3}) EXPECT_EQ(out.at(r, c), 0.0f);
            for (const std::int64_t r : {0, 2, 4, 5}) EXPECT_EQ(x.at(r, c), 0.0f);
        }
    }
}

struct Memories {
    Arena device{std::size_t{1} << 20, Memory::cuda}, host{std::size_t{1} << 20};
};

void fill(View view, std::uint64_t seed) {
    Random random(seed);
    for (std::int64_t r = 0; r < view.size(0); ++r)
        for (std::int64_t c = 0; c < view.size(1); ++c) {
            const float value = random.uniform();
            if (view.dtype == DType::bf16) view.row<bf16>(r)[c] = to_bf16(value);
            else view.row<float>(r)[c] = value;
        }
}

float at(View view, std::int64_t r, std::int64_t c) { return view.dtype == DType::bf16 ? from_bf16(view.row<bf16>(r)[c]) : view.row<float>(r)[c]; }

// There and back by way of other columns than the first, in one piece and row by row; what lies beside them stays.
TEST(copy, goes_to_the_device_and_back) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const std::int64_t rows : {1, 7})
            for (const std::int64_t width : {40, 64})
                for (const std::int64_t columns : {width, width - 9}) {
                    Memories memory;
                    TestStream stream(1);
                    const View from = memory.host.take(dtype, {rows, width}), to = memory.host.take(dtype, {rows, width + 70}),
                               kept = memory.host.take(dtype, {rows, width + 70}), there = memory.device.take(dtype, {rows, width});
                    fill(from, 1), fill(to, 2), fill(kept, 2);
                    ops::copy(stream, there.columns(width - columns, columns), from.columns(0, columns));
                    fill(from, 3);  // a copy to the device has taken what it needs
                    ops::copy(stream, to.columns(5, columns), there.columns(width - columns, columns));
                    stream.synchronize();
                    fill(from, 1);
                    for (std::int64_t r = 0; r < rows; ++r)
                        for (std::int64_t c = 0; c < width + 70; ++c)
                            ASSERT_EQ(at(to, r, c), c < 5 || c >= 5 + columns ? at(kept, r, c) : at(from, r, c - 5)) << r << " " << c;
                }
}

TEST(copy, rounds_on_the_way) {
    Memories memory;
    TestStream stream(1);
    const View from = memory.host.take(DType::f32, {7, 40}), there = memory.device.take(DType::f32, {7, 40}),
               rounded = memory.device.take(DType::bf16, {7, 40}), to = memory.host.take(DType::bf16, {7, 40}),
               again = memory.host.take(DType::bf16, {7, 40});
    fill(from, 1);
    ops::copy(stream, rounded, from);
    ops::copy(stream, to, rounded);
    ops::copy(stream, there, from);
    ops::copy(stream, again, there);
    stream.synchronize();
    for (std::int64_t r = 0; r < 7; ++r)
        for (std::int64_t c = 0; c < 40; ++c) {
            ASSERT_EQ(at(to, r, c), from_bf16(to_bf16(at(from, r, c))));
            ASSERT_EQ(at(again, r, c), at(to, r, c));
        }
}

TEST(copy, says_that_a_kernel_was_given_host_memory) {
    TestStream stream(1);
    Memories memory;
    const View x = memory.host.take(DType::f32, {7, 40});
    fill(x, 1);
    try {
        ops::scale(stream, x, 2.0f);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "a CUDA kernel was given float32 (7, 40), which lies in the host's memory");
    }
}
#endif

}  // namespace
}  // namespace temper::test
