#include "train/packing.h"

#include <algorithm>
#include <functional>
#include <set>

namespace temper {
namespace {

constexpr std::int64_t best_fit_rows = 1000, first_fit_rows = 100000;

std::int64_t best_fit_sequences(std::vector<std::int64_t> lengths, std::int64_t capacity) {
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    std::multiset<std::int64_t> room;
    std::int64_t sequences = 0;
    for (const std::int64_t length : lengths) {
        auto best = room.lower_bound(length);
        std::int64_t left = capacity - length;
        if (best == room.end()) {
            ++sequences;
        } else {
            left = *best - length;
            room.erase(best);
        }
        if (left > 0) room.insert(left);
    }
    return sequences;
}

// A tree over the sequences holds the largest room of each half: the first with room enough is found by going down.
class FirstFit {
  public:
    FirstFit(std::size_t most, std::int64_t capacity) {
        while (leaves_ < most) leaves_ *= 2;
        room_.assign(2 * leaves_, capacity);
        rows_.assign(leaves_, 0);
    }
    void put(std::int64_t length, std::int64_t row_limit) {
        std::size_t node = 1;
        while (node < leaves_) node = 2 * node + (room_[2 * node] < length ? 1 : 0);
        const std::size_t sequence = node - leaves_;
        used_ = std::max(used_, static_cast<std::int64_t>(sequence) + 1);
        room_[node] -= length;
        if (++rows_[sequence] == row_limit) room_[node] = -1;
        while (node > 1) {
            node /= 2;
            room_[node] = std::max(room_[2 * node], room_[2 * node + 1]);
        }
    }
    std::int64_t used() const { return used_; }

  private:
    std::int64_t used_ = 0;
    std::size_t leaves_ = 1;
    std::vector<std::int64_t> room_, rows_;
};

}  // namespace

PackedRows pack_best_fit(const std::vector<std::int64_t>& lengths, std::int64_t capacity) {
    PackedRows packed;
    for (std::size_t begin = 0; begin < lengths.size(); begin += best_fit_rows) {
        std::vector<std::int64_t> group;
        for (std::size_t i = begin; i < std::min(lengths.size(), begin + best_fit_rows); ++i)
            if (lengths[i] > 0) group.push_back(std::min(lengths[i], capacity));
        packed.rows += static_cast<std::int64_t>(group.size());
        packed.sequences += best_fit_sequences(std::move(group), capacity);
    }
    return packed;
}

PackedRows pack_first_fit(const std::vector<std::int64_t>& lengths, std::int64_t capacity, std::int64_t row_limit) {
    PackedRows packed;
    for (std::size_t begin = 0; begin < lengths.size(); begin += first_fit_rows) {
        const std::size_t end = std::min(lengths.size(), begin + first_fit_rows);
        FirstFit group(end - begin, capacity);
        for (std::size_t i = begin; i < end; ++i) group.put(std::min(lengths[i], capacity), row_limit);
        packed.rows += static_cast<std::int64_t>(end - begin);
        packed.sequences += group.used();
    }
    return packed;
}

}  // namespace temper
