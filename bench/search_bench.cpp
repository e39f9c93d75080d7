// search_bench [ROWS] [--graph] [--queries N]: milliseconds a query of whole search, with and without the int8 copy, over clustered vectors; with
// --graph the time and memory of building the graph, its recall@10 against whole search, and queries a second at several breadths.
//
// Vectors: 384 numbers that are a random linear map of 16 (the intrinsic dimension), which lie around ROWS / 1000 centres; normalized. Queries are
// drawn in the same way and are none of the rows.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "kernels/cpu/blas.h"
#include "kernels/similarity.h"
#include "retrieval/vector_index.h"

namespace temper {
namespace {

constexpr std::int64_t dimensions = 384, intrinsic = 16;

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

long resident_mb(const char* name) {
    std::FILE* file = std::fopen("/proc/self/status", "r");
    char line[256];
    long kilobytes = 0;
    while (std::fgets(line, sizeof line, file) != nullptr)
        if (std::strncmp(line, name, std::strlen(name)) == 0) kilobytes = std::atol(line + std::strlen(name) + 1);
    std::fclose(file);
    return kilobytes / 1024;
}

std::vector<float> clustered(std::int64_t rows, std::int64_t centre_count, std::mt19937& random, const std::vector<float>& map,
                             const std::vector<float>& centres) {
    std::normal_distribution<float> normal;
    std::vector<float> vectors(static_cast<std::size_t>(rows * dimensions)), inner(intrinsic);
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto centre = static_cast<std::int64_t>(random() % static_cast<unsigned>(centre_count));
        for (std::int64_t i = 0; i < intrinsic; ++i)
            inner[static_cast<std::size_t>(i)] = centres[static_cast<std::size_t>(centre * intrinsic + i)] + 0.5f * normal(random);
        float* vector = vectors.data() + row * dimensions;
        cpu::multiply(vector, dimensions, {inner.data(), intrinsic, false}, {map.data(), dimensions, false}, 1, dimensions, intrinsic, 1.0f, 0.0f);
        const auto length = static_cast<float>(std::sqrt(similarity::dot(vector, vector, dimensions)));
        for (std::int64_t i = 0; i < dimensions; ++i) vector[i] /= length;
    }
    return vectors;
}

std::vector<float> normals(std::int64_t count, std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::vector<float> numbers(static_cast<std::size_t>(count));
    for (float& number : numbers) number = normal(random);
    return numbers;
}

double recall(const std::vector<std::vector<Hit>>& found, const std::vector<std::vector<Hit>>& exact) {
    std::int64_t same = 0, all = 0;
    for (std::size_t q = 0; q < exact.size(); ++q) {
        std::set<std::int64_t> rows;
        for (const Hit& hit : exact[q]) rows.insert(hit.row);
        for (const Hit& hit : found[q]) same += static_cast<std::int64_t>(rows.count(hit.row));
        all += static_cast<std::int64_t>(rows.size());
    }
    return static_cast<double>(same) / static_cast<double>(all);
}

// Milliseconds of one query after the other, the median, and of a batch.
void time_queries(const char* name, const VectorIndex& index, const std::vector<float>& queries, const VectorIndex::Options& options) {
    const auto count = static_cast<std::int64_t>(queries.size()) / dimensions;
    std::vector<double> times;
    for (std::int64_t q = 0; q < std::min<std::int64_t>(count, 50); ++q) {
        const std::vector<float> one(queries.begin() + q * dimensions, queries.begin() + (q + 1) * dimensions);
        const double begin = seconds();
        static_cast<void>(index.search(one, options));
        times.push_back(1e3 * (seconds() - begin));
    }
    std::sort(times.begin(), times.end());
    const double begin = seconds();
    static_cast<void>(index.search(queries, options));
    std::printf("%-28s one query %.2f ms (least %.2f), in a batch of %ld %.2f ms\n", name, times[times.size() / 2], times.front(),
                static_cast<long>(count), 1e3 * (seconds() - begin) / static_cast<double>(count));
}

int bench(std::int64_t rows, std::int64_t query_count, bool graph) {
    const int threads = static_cast<int>(std::thread::hardware_concurrency());
    std::mt19937 random(7);
    const std::int64_t centre_count = std::max<std::int64_t>(rows / 1000, 1);
    const auto map = normals(intrinsic * dimensions, random), centres = normals(centre_count * intrinsic, random);
    const auto vectors = clustered(rows, centre_count, random, map, centres), queries = clustered(query_count, centre_count, random, map, centres);
    std::printf("%ld x %ld, %d threads, %s, %ld MB with the vectors\n", static_cast<long>(rows), static_cast<long>(dimensions), threads,
                name_of(best_isa()), resident_mb("VmRSS:"));
    VectorIndex index(vectors, dimensions, threads);
    VectorIndex::Options options;
    time_queries("float32 by OpenBLAS", index, queries, options);
    double begin = seconds();
    index.prepare();
    std::printf("%-28s %.2f s, %ld MB\n", "int8 copy", seconds() - begin, resident_mb("VmRSS:"));
    time_queries("int8, then float32", index, queries, options);
    if (!graph) return 0;
    const auto exact = index.search(queries, options);
    begin = seconds();
    const std::string bytes = index.build_graph([&](std::int64_t done) {
        if (done % 102400 == 0) std::printf("  %ld rows in %.0f s\n", static_cast<long>(done), seconds() - begin), std::fflush(stdout);
    });
    std::printf("%-28s %.1f s on one thread, %ld MB with vectors and copy, %.0f MB stored\n", "graph", seconds() - begin, resident_mb("VmRSS:"),
                static_cast<double>(bytes.size()) / 1048576);
    for (const std::int64_t breadth : {40, 64, 128, 256, 512}) {
        options.breadth = breadth;
        time_queries(fmt::format("graph, breadth {}", breadth).c_str(), index, queries, options);
        std::printf("%-28s %.4f\n", "  recall@10", recall(index.search(queries, options), exact));
    }
    return 0;
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    std::int64_t rows = 100000, queries = 200;
    bool graph = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--graph") == 0) graph = true;
        else if (std::strcmp(argv[i], "--queries") == 0 && i + 1 < argc) queries = std::atol(argv[++i]);
        else rows = std::atol(argv[i]);
    }
    return temper::bench(rows, queries, graph);
}
