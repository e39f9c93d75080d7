// The k best of many numbers, ties by row. Internal to retrieval/.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace temper {

struct Scored {
    double score = 0;
    std::int64_t row = 0;
    bool before(const Scored& other) const { return score > other.score || (score == other.score && row < other.row); }
};

class TopK {
  public:
    explicit TopK(std::int64_t k) : k_(static_cast<std::size_t>(k)) { heap_.reserve(k_); }

    // What a new one must reach: -infinity until there are k.
    double least() const { return heap_.size() < k_ ? -std::numeric_limits<double>::infinity() : heap_.front().score; }
    void add(Scored one) {
        if (heap_.size() == k_) {
            if (k_ == 0 || !one.before(heap_.front())) return;
            std::pop_heap(heap_.begin(), heap_.end(), better_first);
            heap_.pop_back();
        }
        heap_.push_back(one);
        std::push_heap(heap_.begin(), heap_.end(), better_first);
    }
    // Best first; ends it.
    std::vector<Scored> sorted() {
        std::sort(heap_.begin(), heap_.end(), better_first);
        return std::move(heap_);
    }
    const std::vector<Scored>& unsorted() const { return heap_; }

  private:
    static bool better_first(const Scored& a, const Scored& b) { return a.before(b); }  // the front is the worst
    std::size_t k_;
    std::vector<Scored> heap_;
};

}  // namespace temper
