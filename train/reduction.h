// Sums of vectors over the leaves of a step in one fixed binary tree: node (level, k) = node (level-1, 2k) + node (level-1, 2k+1), a
// missing right child passes its sibling through. The tree depends on the number of leaves alone, so any split of the leaves over
// ranks and micro-batches gives the same bits.
#pragma once
#include <cstdint>
#include <vector>

#include "io/comm/comm.h"
#include "kernels/ops.h"
#include "kernels/staged.h"

namespace temper {

class TreeReducer {
  public:
    TreeReducer(Stream& stream, std::int64_t length) : stream_(stream), length_(length) {}

    void start() { release_all(); }
    // Leaves of this rank in rising order. `values` (length) may be overwritten.
    void push(std::int64_t leaf, View values);
    // After every rank's last push: the whole sum in `result` (length) on every rank.
    void finish(Comm& comm, FlatArray& result);
    // Buffers held at most for this many leaves, for the memory plan.
    static std::int64_t predict_buffers(std::int64_t leaves);

  private:
    struct Node {
        std::int64_t level, index;
        std::size_t buffer;
    };
    std::size_t take_buffer();
    View view(std::size_t buffer) const { return buffers_[buffer].view(); }
    void insert(std::int64_t level, std::int64_t index, View values);
    void release_all();
    void send_nodes(Comm& comm) const;
    void receive_nodes(Comm& comm, int rank);

    Stream& stream_;
    std::int64_t length_;
    std::vector<Node> nodes_;         // complete subtrees so far, left to right
    std::vector<FlatArray> buffers_;  // reused from step to step
    std::vector<std::size_t> free_;
};

}  // namespace temper
