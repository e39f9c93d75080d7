// A hierarchical navigable small world [Malkov & Yashunin 2018] over int8 copies of vectors, by hnswlib. One thread inserts the rows in their order:
// hnswlib's parallel insertion gives another graph each time. Links alone are stored; vectors are those of the collection.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace temper {

class Hnsw {
  public:
    struct Rows {
        const std::int8_t* codes = nullptr;  // (N, padded)
        const float* scales = nullptr;       // (N)
        std::int64_t count = 0, padded = 0;
    };
    static constexpr std::int64_t links = 16, construction_breadth = 200;  // "M", "ef_construction"

    // progress(rows done) now and then.
    static Hnsw build(const Rows& rows, const std::function<void(std::int64_t)>& progress);
    // bad_data names place: every link is checked before it is followed.
    static Hnsw load(const Rows& rows, const std::string& bytes, const std::string& place);
    ~Hnsw();
    Hnsw(Hnsw&&) noexcept;

    std::string bytes() const;
    // At most `breadth` rows near the query, in no order. Thread-safe.
    std::vector<std::int64_t> near(const std::int8_t* codes /*(padded)*/, float scale, std::int64_t breadth) const;

  private:
    struct Graph;
    explicit Hnsw(std::unique_ptr<Graph> graph);
    std::unique_ptr<Graph> graph_;
};

}  // namespace temper
