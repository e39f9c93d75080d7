// The table of algorithms: what a product's choice depends on, what is taken from bytes, and who follows whose choice.
#include "kernels/cuda/algorithms.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include "kernels/cuda/product_choices.h"
#include "kernels/cuda/scratch.h"
#include "tests/cuda/common.h"

namespace temper::cuda {
namespace {

ProductKey key_of_columns(std::int64_t columns) {
    ProductKey key;
    key.dtype = DType::bf16;
    key.b_transposed = true;
    key.columns = columns;
    key.depth = 896;
    return key;
}

AlgorithmTable some_table(std::int64_t entries) {
    AlgorithmTable table("library", "device");
    for (std::int64_t i = 0; i < entries; ++i) table.keep(key_of_columns(i), {static_cast<std::uint64_t>(i), 0, 0, 0, 0, 0, 0, ~std::uint64_t{7}});
    return table;
}

std::string message_of(const std::string& bytes) {
    try {
        AlgorithmTable::from_bytes(bytes);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        return error.what();
    }
    return "";
}

TEST(AlgorithmTable, ComesBackFromItsBytes) {
    AlgorithmTable table = some_table(5);
    ProductKey every = key_of_columns(7);
    every.a_transposed = every.has_c = every.has_bias = true;
    every.out = DType::bf16;
    table.keep(every, {1, 2, 3, 4, 5, 6, 7, 8});
    const AlgorithmTable back = AlgorithmTable::from_bytes(table.to_bytes());
    EXPECT_TRUE(back.is_like(table));
    EXPECT_EQ(back.size(), 6u);
    EXPECT_EQ(back.to_bytes(), table.to_bytes());
    ASSERT_NE(back.find(every), nullptr);
    EXPECT_EQ((*back.find(every))[7], 8u);
    ASSERT_NE(back.find(key_of_columns(3)), nullptr);
    EXPECT_EQ((*back.find(key_of_columns(3)))[0], 3u);
    EXPECT_EQ(back.find(key_of_columns(5)), nullptr);
}

TEST(AlgorithmTable, AddsWhatItLacksAndGivesAPart) {
    AlgorithmTable table = some_table(3);
    AlgorithmTable more = some_table(5);
    more.keep(key_of_columns(1), {99});
    table.add(more);
    EXPECT_EQ(table.size(), 5u);
    EXPECT_EQ((*table.find(key_of_columns(1)))[0], 1u);
    const AlgorithmTable part = table.only({key_of_columns(4), key_of_columns(77)});
    EXPECT_EQ(part.size(), 1u);
    EXPECT_NE(part.find(key_of_columns(4)), nullptr);
    EXPECT_TRUE(part.is_like(table));
    EXPECT_FALSE(AlgorithmTable("library", "another device").is_like(table));
    EXPECT_FALSE(AlgorithmTable("newer library", "device").is_like(table));
}

TEST(AlgorithmTable, RefusesBytesThatAreNoTable) {
    const std::string whole = some_table(2).to_bytes();
    EXPECT_EQ(message_of(whole), "");
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(message_of(whole.substr(0, size)), "") << size;
    EXPECT_NE(message_of(whole + "x"), "");
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_NE(message_of(changed), "") << i;
    }
    std::string many = whole;
    many[whole.size() - 8 - 2 * 81 - 1] = '\x7f';  // the highest byte of the number of entries
    EXPECT_TRUE(test::says(message_of(many), {"entries, expected at most"}));
}

// A product of some rows, with numbers that every order of adding rounds differently.
class Products : public ::testing::Test {
  protected:
    static constexpr std::int64_t kRows = 33, kColumns = 40, kDepth = 200;

    Products() {
        Cuts count;
        lay_out(count);
        memory_ = std::make_unique<test::OnDevice<float>>(static_cast<std::int64_t>(count.bytes() / sizeof(float)));
        Cuts cuts(memory_->data());
        lay_out(cuts);
        for (const View& view : {a_, b_})
            for (std::int64_t i = 0; i < view.size(0) * view.row_stride(); ++i)
                view.as<bf16>()[i] = to_bf16(std::sin(static_cast<float>(i * 7 % 1013)));
    }
    void lay_out(Cuts& cuts) {
        d_ = cuts.take(DType::f32, kRows, kColumns);
        a_ = cuts.take(DType::bf16, kRows, kDepth);
        b_ = cuts.take(DType::bf16, kColumns, kDepth);
    }
    Product product(std::int64_t first, std::int64_t rows) const {
        Product product;
        product.d = d_.rows(0, rows);
        product.a = a_.rows(first, rows);
        product.b = b_;
        product.b_transposed = true;
        return product;
    }
    // Rows that begin at `first`, and of these one.
    std::string bits(Stream& stream, std::int64_t first = 0, std::int64_t rows = kRows, std::int64_t row = 0) const {
        multiply(stream, product(first, rows));
        stream.synchronize();
        return {reinterpret_cast<const char*>(d_.row<float>(row)), kColumns * sizeof(float)};
    }
    static std::unique_ptr<Stream> stream_with_wish(int wish) {
        setenv("TEMPER_EMULATION_WISH", std::to_string(wish).c_str(), 1);
        return std::make_unique<Stream>(std::make_unique<Context>(0), 1);
    }

    std::unique_ptr<test::OnDevice<float>> memory_;
    View d_, a_, b_;
};

// Rows never choose: the same table after one row and after many, and one row has its bits in any company.
TEST_F(Products, AreChosenByTheirShapeWithoutItsRows) {
    for (const int wish : {1, 2, 3, 4, 5, 6}) {
        const auto stream = stream_with_wish(wish);
        const std::string whole = bits(*stream, 0, kRows, 5);
        EXPECT_EQ(bits(*stream, 5, 1, 0), whole);
        EXPECT_EQ(bits(*stream, 3, 9, 2), whole);
        EXPECT_EQ(choices_of(*stream).table().size(), 1u);
        Product rounded = product(0, 1);
        rounded.d = View(d_.data, DType::bf16, {1, kColumns}, Device::cuda);
        multiply(*stream, rounded);
        EXPECT_EQ(choices_of(*stream).table().size(), 2u);
    }
}

TEST_F(Products, FollowATableWhateverTheProcessWishes) {
    std::map<std::string, std::unique_ptr<Stream>> by_bits;
    for (int wish = 0; wish < 20; ++wish) {
        auto stream = stream_with_wish(wish);
        std::string found = bits(*stream);
        by_bits.emplace(std::move(found), std::move(stream));
    }
    ASSERT_EQ(by_bits.size(), 3u) << "the algorithms of the emulation are not told apart";
    for (const auto& [wanted, chosen] : by_bits)
        for (int wish = 0; wish < 5; ++wish) {
            const auto stream = stream_with_wish(wish);
            follow_algorithms(*stream, AlgorithmTable::from_bytes(choices_of(*chosen).table().to_bytes()));
            EXPECT_EQ(bits(*stream), wanted);
        }
}

TEST_F(Products, OfARunAreThoseThatWereRehearsed) {
    const auto stream = stream_with_wish(1);
    d_.row<float>(0)[0] = 77.0f;
    const std::vector<ProductKey> keys = rehearse_products(*stream, [&] {
        multiply(*stream, product(0, 3));
        multiply(*stream, product(0, 1));
    });
    EXPECT_EQ(d_.row<float>(0)[0], 0.0f);  // nothing was computed
    ASSERT_EQ(keys.size(), 1u);
    EXPECT_EQ(keys[0], key_of(product(0, kRows)));
    AlgorithmTable table = empty_table(*stream);
    EXPECT_EQ(table.size(), 0u);
    table.keep(keys[0], choose_algorithm(*stream, keys[0]));
    follow_algorithms(*stream, table);
    EXPECT_NE(bits(*stream), "");
    Product other = product(0, 1);
    other.c = other.d;
    try {
        multiply(*stream, other);
        FAIL() << "a product that nobody chose was computed";
    } catch (const Error& error) {
        EXPECT_TRUE(test::says(error.what(), {"was not rehearsed", "bfloat16 (40, 200)"}));
    }
    EXPECT_EQ(choices_of(*stream).table().size(), 1u);
}

TEST_F(Products, OfAnAlgorithmThatTheLibraryLacksAreRefused) {
    const auto stream = stream_with_wish(1);
    AlgorithmTable table = empty_table(*stream);
    table.keep(key_of(product(0, 1)), {12345});
    follow_algorithms(*stream, table);
    EXPECT_THROW(multiply(*stream, product(0, 1)), Error);
}

}  // namespace
}  // namespace temper::cuda
