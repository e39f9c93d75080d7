// Sums of vectors over the leaves of a step in one fixed binary tree: node (level, k) = node (level-1, 2k) + node (level-1, 2k+1), a
// missing right child passes its sibling through. The tree depends on the number of leaves alone, so any split of the leaves over
// ranks and micro-batches gives the same bits.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "io/comm/vector_exchange.h"
#include "kernels/ops.h"
#include "kernels/staged.h"

namespace temper {

class TreeReducer {
  public:
    TreeReducer(Stream& stream, std::int64_t length) : stream_(stream), length_(length) {}

    // Takes the memory of so many leaves at once, that no step takes any later.
    void reserve(std::int64_t leaves, std::int64_t ranks);

    void start() { release_all(); }
    // Leaves of this rank in rising order. `values` (length) may be overwritten.
    void push(std::int64_t leaf, View values);
    // After every rank's last push: the whole sum in `result` (length) on every rank.
    void finish(Comm& comm, VectorExchange& exchange, FlatArray& result);
    // Buffers held at most by a rank for this many leaves of all ranks.
    static std::int64_t predict_buffers(std::int64_t leaves, std::int64_t ranks);

  private:
    struct Node {
        std::int64_t level, index;
        std::size_t buffer;
    };
    std::size_t take_buffer();
    View view(std::size_t buffer) const { return buffers_[buffer].view(); }
    // `owned`: the buffer that values lie in, given up; none where they are the caller's.
    void insert(std::int64_t level, std::int64_t index, View values, std::optional<std::size_t> owned = std::nullopt);
    void release_all();
    void send_nodes(Comm& comm, VectorExchange& exchange) const;
    void receive_nodes(Comm& comm, VectorExchange& exchange, int rank);

    Stream& stream_;
    std::int64_t length_;
    std::vector<Node> nodes_;         // complete subtrees so far, left to right
    std::vector<FlatArray> buffers_;  // reused from step to step
    std::vector<std::size_t> free_;
};

}  // namespace temper
