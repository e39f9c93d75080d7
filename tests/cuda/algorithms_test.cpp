// The table of algorithms: what a product's choice depends on, and what is taken from a file.
#include "kernels/cuda/algorithms.h"
#include "kernels/cuda/gemm.h"
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

std::string message_of(const std::string& bytes) {
    try {
        AlgorithmTable("library", "device").take_bytes(bytes);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        return error.what();
    }
    return "";
}

TEST(AlgorithmTable, ComesBackFromItsBytes) {
    AlgorithmTable table("library", "device"), other("library", "device");
    for (std::uint64_t i = 0; i < 5; ++i) table.keep(key_of_columns(static_cast<std::int64_t>(i)), {i, 0, 0, 0, 0, 0, 0, ~i});
    ProductKey every = key_of_columns(7);
    every.a_transposed = every.has_c = every.has_bias = true;
    every.out = DType::bf16;
    table.keep(every, {1, 2, 3, 4, 5, 6, 7, 8});
    other.keep(key_of_columns(3), {});
    ASSERT_TRUE(other.take_bytes(table.to_bytes()));
    EXPECT_EQ(other.size(), 6u);
    EXPECT_EQ(other.to_bytes(), table.to_bytes());
    ASSERT_NE(other.find(every), nullptr);
    EXPECT_EQ((*other.find(every))[7], 8u);
    EXPECT_EQ((*other.find(key_of_columns(3)))[7], ~std::uint64_t{3});
    EXPECT_EQ(other.find(key_of_columns(5)), nullptr);
}

TEST(AlgorithmTable, TakesNothingFromAnotherLibraryOrDevice) {
    AlgorithmTable table("library", "device"), newer("newer library", "device"), elsewhere("library", "another device");
    table.keep(key_of_columns(1), {});
    EXPECT_FALSE(newer.take_bytes(table.to_bytes()));
    EXPECT_FALSE(elsewhere.take_bytes(table.to_bytes()));
    EXPECT_EQ(newer.size() + elsewhere.size(), 0u);
}

TEST(AlgorithmTable, RefusesBytesThatAreNoTable) {
    AlgorithmTable table("library", "device");
    table.keep(key_of_columns(1), {});
    const std::string whole = table.to_bytes();
    EXPECT_EQ(message_of(whole), "");
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(message_of(whole.substr(0, size)), "") << size;
    EXPECT_NE(message_of(whole + "x"), "");
    std::string many = whole;
    many[whole.size() - 81 - 1] = '\x7f';  // the highest byte of the number of entries
    EXPECT_TRUE(test::says(message_of(many), {"entries, at most"}));
}

// Rows of a product never choose: the same table after one row and after many, and one row has its bits in any company.
TEST(Products, AreChosenByTheirShapeWithoutItsRows) {
    Stream stream(std::make_unique<Context>(0), 1);
    const std::int64_t columns = 40, depth = 24;
    Cuts count;
    const auto lay_out = [&](Cuts& cuts) {
        return std::array<View, 3>{cuts.take(DType::bf16, 33, columns), cuts.take(DType::bf16, 33, depth), cuts.take(DType::bf16, columns, depth)};
    };
    lay_out(count);
    const test::OnDevice<char> memory(static_cast<std::int64_t>(count.bytes()));
    Cuts cuts(memory.data());
    const auto [d, a, b] = lay_out(cuts);
    for (const View& view : {a, b})
        for (std::int64_t i = 0; i < view.size(0) * view.row_stride(); ++i) view.as<bf16>()[i] = to_bf16(static_cast<float>(i % 37) / 8.0f - 2.0f);
    Product product;
    product.b = b;
    product.b_transposed = true;
    std::vector<std::string> rows;
    for (const auto& [first, size] : {std::pair<std::int64_t, std::int64_t>{0, 33}, {5, 1}, {3, 9}}) {
        product.a = a.rows(first, size);
        product.d = d.rows(0, size);
        multiply(stream, product);
        stream.synchronize();
        rows.emplace_back(reinterpret_cast<const char*>(d.row<bf16>(5 - first)), columns * sizeof(bf16));
    }
    EXPECT_EQ(rows[0], rows[1]);
    EXPECT_EQ(rows[0], rows[2]);
    EXPECT_EQ(algorithms(stream).size(), 1u);
    Stream other(std::make_unique<Context>(0), 1);
    EXPECT_TRUE(import_algorithms(other, export_algorithms(stream)));
    EXPECT_EQ(export_algorithms(other), export_algorithms(stream));
    product.d = View(d.data, DType::f32, {1, columns}, Device::cuda);
    product.a = a.rows(0, 1);
    multiply(stream, product);
    EXPECT_EQ(algorithms(stream).size(), 2u);
}

}  // namespace
}  // namespace temper::cuda
