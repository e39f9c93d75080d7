// The k vectors nearest to a query, by the cosine of the angle between them; a vector of length zero has 0 with every other.
//
// Whole search reads every vector, or an int8 copy of it whose error is bounded: what could be among the k best by that bound is computed from
// the float32 vectors. Result and order are those of the float64 products, ties by row, on any number of threads and any processor.
// A graph (retrieval/hnsw.h) finds nearly all of them in large sets; what it proposes is ranked by the same products.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/span.h"

namespace temper {

struct Hit {
    std::int64_t row = 0;
    float score = 0;
};

class VectorIndex {
  public:
    // A view of vectors (N, D), which stay where they are. bad_data when one of them is not finite.
    VectorIndex(Span<const float> vectors, std::int64_t dimensions, int threads);
    ~VectorIndex();
    VectorIndex(const VectorIndex&) = delete;
    VectorIndex& operator=(const VectorIndex&) = delete;

    std::int64_t rows() const;
    // Makes the int8 copy, N D bytes: worth it from some ten queries on. A graph needs it.
    void prepare();
    // Slow (retrieval/hnsw.h); its bytes are those that use_graph() takes. progress(rows done) now and then.
    std::string build_graph(const std::function<void(std::int64_t)>& progress = {});
    void use_graph(const std::string& bytes, const std::string& place);  // bad_data names place
    bool has_graph() const;

    struct Options {
        std::int64_t top_k = 10;
        const std::vector<std::uint8_t>* keep = nullptr;  // (N): rows that a filter lets through
        bool exact = false;                               // although there is a graph
        std::int64_t breadth = 128;                       // candidates that the graph is followed with ("ef"); at least 4 top_k
    };
    // One list a query (Q, D), best first; shorter than top_k only where fewer rows are let through. Safe on several threads at once.
    std::vector<std::vector<Hit>> search(Span<const float> queries, const Options& options) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// From how many rows on a graph pays: whole search of fewer takes some milliseconds.
constexpr std::int64_t graph_from_rows = 200000;

}  // namespace temper
