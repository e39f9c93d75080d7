// Search against the plain sort of all products in float64: over sizes, lengths, filters, threads, ties and vectors that are nearly alike.
#include "retrieval/vector_index.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "kernels/similarity.h"
#include "tests/support/expect_error.h"

namespace temper {
namespace {

std::vector<float> random_vectors(std::int64_t rows, std::int64_t dimensions, unsigned seed, bool normalized = true) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> vectors(static_cast<std::size_t>(rows * dimensions));
    for (float& number : vectors) number = normal(random);
    for (std::int64_t row = 0; row < rows; ++row) {
        float* vector = vectors.data() + row * dimensions;
        const double length = std::sqrt(similarity::dot(vector, vector, dimensions));
        const double wanted = normalized ? 1.0 : std::exp(static_cast<double>(normal(random)));
        for (std::int64_t i = 0; i < dimensions; ++i) vector[i] = static_cast<float>(vector[i] / length * wanted);
    }
    return vectors;
}

std::vector<std::int64_t> naive(const std::vector<float>& vectors, const float* query, std::int64_t dimensions, std::int64_t k,
                                const std::vector<std::uint8_t>* keep) {
    const auto rows = static_cast<std::int64_t>(vectors.size()) / dimensions;
    std::vector<std::pair<double, std::int64_t>> all;
    double query_length = std::sqrt(similarity::dot(query, query, dimensions));
    std::vector<float> unit(query, query + dimensions);
    for (float& number : unit) number = query_length > 0 ? static_cast<float>(number / query_length) : 0.0f;
    for (std::int64_t row = 0; row < rows; ++row) {
        if (keep != nullptr && (*keep)[static_cast<std::size_t>(row)] == 0) continue;
        const float* vector = vectors.data() + row * dimensions;
        const double length = std::sqrt(similarity::dot(vector, vector, dimensions));
        const double inverse = length > 0 ? 1 / length : 0;
        all.emplace_back(-similarity::dot(vector, unit.data(), dimensions) * inverse, row);
    }
    std::sort(all.begin(), all.end());
    std::vector<std::int64_t> result;
    for (std::size_t i = 0; i < all.size() && static_cast<std::int64_t>(i) < k; ++i) result.push_back(all[i].second);
    return result;
}

std::vector<std::int64_t> rows_of(const std::vector<Hit>& hits) {
    std::vector<std::int64_t> rows;
    for (const Hit& hit : hits) rows.push_back(hit.row);
    return rows;
}

TEST(VectorIndex, WholeSearchIsTheSortOfAllProducts) {
    for (const std::int64_t rows : {0, 1, 9, 513, 3000})
        for (const std::int64_t dimensions : {1, 3, 64, 100, 384})
            for (const bool normalized : {true, false}) {
                SCOPED_TRACE(fmt::format("{} x {} {}", rows, dimensions, normalized));
                const auto vectors = random_vectors(rows, dimensions, 1, normalized), queries = random_vectors(5, dimensions, 2, false);
                for (const int threads : {1, 3}) {
                    VectorIndex index(vectors, dimensions, threads);
                    for (const bool prepared : {false, true}) {
                        if (prepared) index.prepare();
                        for (const std::int64_t k : {1, 10, 600}) {
                            VectorIndex::Options options;
                            options.top_k = k;
                            const auto lists = index.search(queries, options);
                            ASSERT_EQ(lists.size(), 5u);
                            for (std::size_t q = 0; q < 5; ++q)
                                EXPECT_EQ(rows_of(lists[q]),
                                          naive(vectors, queries.data() + static_cast<std::int64_t>(q) * dimensions, dimensions, k, nullptr));
                        }
                    }
                }
            }
}

TEST(VectorIndex, AlmostEqualVectorsKeepTheirOrder) {
    // All within the int8 copy's error of each other, some equal bit for bit: every row is in question.
    constexpr std::int64_t dimensions = 384, rows = 20000;
    const auto centre = random_vectors(1, dimensions, 3);
    std::vector<float> vectors;
    std::mt19937 random(4);
    std::normal_distribution<float> normal(0.0f, 1e-5f);
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t i = 0; i < dimensions; ++i) vectors.push_back(centre[static_cast<std::size_t>(i)] + (row % 3 == 0 ? 0.0f : normal(random)));
    for (const bool prepared : {false, true}) {
        VectorIndex index(vectors, dimensions, 2);
        if (prepared) index.prepare();
        EXPECT_EQ(rows_of(index.search(centre, {})[0]), naive(vectors, centre.data(), dimensions, 10, nullptr));
    }
}

TEST(VectorIndex, FiltersLetThroughWhatTheyKeep) {
    constexpr std::int64_t dimensions = 32, rows = 4000;
    const auto vectors = random_vectors(rows, dimensions, 5), queries = random_vectors(20, dimensions, 6);
    VectorIndex index(vectors, dimensions, 2);
    const std::string bytes = index.build_graph();
    EXPECT_TRUE(index.has_graph());
    for (const int every : {1, 3, 50, 1500, 100000}) {
        std::vector<std::uint8_t> keep(rows);
        for (std::size_t row = 0; row < keep.size(); ++row) keep[row] = row % static_cast<std::size_t>(every) == 1 % static_cast<std::size_t>(every);
        VectorIndex::Options options;
        options.keep = &keep;
        options.exact = true;
        const auto exact = index.search(queries, options);
        options.exact = false;
        const auto near = index.search(queries, options);
        int same = 0, all = 0;
        for (std::size_t q = 0; q < 20; ++q) {
            EXPECT_EQ(rows_of(exact[q]), naive(vectors, queries.data() + q * dimensions, dimensions, 10, &keep)) << every;
            EXPECT_EQ(near[q].size(), exact[q].size());
            for (const Hit& hit : near[q]) {
                EXPECT_TRUE(keep[static_cast<std::size_t>(hit.row)]);
                same += std::any_of(exact[q].begin(), exact[q].end(), [&](const Hit& other) { return other.row == hit.row; });
            }
            all += static_cast<int>(exact[q].size());
        }
        EXPECT_GE(same, all * 95 / 100) << every;
    }
}

TEST(VectorIndex, GraphIsTheSameEachTimeAndIsReadBack) {
    constexpr std::int64_t dimensions = 48, rows = 2000;
    const auto vectors = random_vectors(rows, dimensions, 7), queries = random_vectors(10, dimensions, 8);
    VectorIndex one(vectors, dimensions, 1), three(vectors, dimensions, 3);
    const std::string bytes = one.build_graph();
    EXPECT_EQ(three.build_graph(), bytes);
    VectorIndex read(vectors, dimensions, 2);
    read.use_graph(bytes, "file");
    const auto a = one.search(queries, {}), b = read.search(queries, {});
    for (std::size_t q = 0; q < 10; ++q) EXPECT_EQ(rows_of(a[q]), rows_of(b[q]));
    const std::vector<float> no_vectors;
    VectorIndex none(no_vectors, dimensions, 1);
    none.use_graph(none.build_graph(), "file");
    EXPECT_TRUE(none.search(queries, {})[3].empty());
}

TEST(VectorIndex, ABadGraphIsRefusedOrHarmless) {
    constexpr std::int64_t dimensions = 8, rows = 60;
    const auto vectors = random_vectors(rows, dimensions, 9), queries = random_vectors(2, dimensions, 10);
    VectorIndex index(vectors, dimensions, 1);
    const std::string bytes = index.build_graph();
    for (std::size_t at = 0; at < bytes.size(); ++at)
        for (const char flip : {'\x01', '\x80', '\xff'}) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ flip);
            try {
                index.use_graph(changed, "file.h5");
                EXPECT_EQ(index.search(queries, {})[0].size(), 10u);
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ExitCode::bad_data);
                EXPECT_TRUE(std::string(error.what()).starts_with("file.h5: ")) << error.what();
            }
        }
    for (std::size_t size = 0; size < bytes.size(); size += 7)
        EXPECT_ERROR(index.use_graph(bytes.substr(0, size), "f"), ExitCode::bad_data, "f: byte");
    EXPECT_ERROR(index.use_graph(bytes + "x", "f"), ExitCode::bad_data, "behind its end");
}

TEST(VectorIndex, VectorsThatAreNoneAreRefused) {
    std::vector<float> vectors(20, 0.5f);
    vectors[13] = std::nanf("");
    EXPECT_ERROR(VectorIndex(vectors, 4, 1), ExitCode::bad_data, "vector 3 is not finite");
    vectors[13] = 0;
    for (int i = 4; i < 8; ++i) vectors[static_cast<std::size_t>(i)] = 0;  // row 1: length zero
    VectorIndex index(vectors, 4, 1);
    const std::vector<float> query = {1, 1, 1, 1};
    const auto hits = index.search(query, {})[0];
    ASSERT_EQ(hits.size(), 5u);
    EXPECT_EQ(hits.back().row, 1);
    EXPECT_EQ(hits.back().score, 0.0f);
    EXPECT_FLOAT_EQ(hits.front().score, 1.0f);
    const std::vector<float> bad = {1, 1, 1, std::nanf("")};
    EXPECT_ERROR(index.search(bad, {}), ExitCode::bad_data, "query 0");
}

}  // namespace
}  // namespace temper
