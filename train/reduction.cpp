#include "train/reduction.h"

namespace temper {
namespace {
constexpr int node_tag = 11, values_tag = 12;
}

std::size_t TreeReducer::take_buffer() {
    if (free_.empty()) {
        buffers_.emplace_back(stream_, length_);
        return buffers_.size() - 1;
    }
    const std::size_t buffer = free_.back();
    free_.pop_back();
    return buffer;
}

void TreeReducer::release_all() {
    for (const Node& node : nodes_) free_.push_back(node.buffer);
    nodes_.clear();
}

// Merges with left siblings as long as there are any: always left += right, so a parent's value does not depend on when it was formed.
void TreeReducer::insert(std::int64_t level, std::int64_t index, View values) {
    View current = values;
    std::size_t held = 0;
    bool owned = false;
    while (!nodes_.empty() && index % 2 == 1 && nodes_.back().level == level && nodes_.back().index == index - 1) {
        const Node left = nodes_.back();
        nodes_.pop_back();
        ops::add(stream_, view(left.buffer), current);
        if (owned) free_.push_back(held);
        held = left.buffer;
        owned = true;
        current = view(held);
        ++level;
        index /= 2;
    }
    if (!owned) {
        held = take_buffer();
        buffers_[held].set(stream_, values);
    }
    nodes_.push_back({level, index, held});
}

void TreeReducer::push(std::int64_t leaf, View values) { insert(0, leaf, values); }

// Ranks meet in host memory.
void TreeReducer::send_nodes(Comm& comm) const {
    const std::int64_t count = static_cast<std::int64_t>(nodes_.size());
    comm.send(&count, sizeof count, 0, node_tag);
    for (const Node& node : nodes_) {
        const std::int64_t place[2] = {node.level, node.index};
        comm.send(place, sizeof place, 0, node_tag);
        const std::vector<float> values = buffers_[node.buffer].values(stream_);
        comm.send(values.data(), values.size() * sizeof(float), 0, values_tag);
    }
}

void TreeReducer::receive_nodes(Comm& comm, int rank) {
    std::int64_t count = 0;
    comm.receive(&count, sizeof count, rank, node_tag);
    std::vector<float> values(count > 0 ? static_cast<std::size_t>(length_) : 0);
    for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t place[2];
        comm.receive(place, sizeof place, rank, node_tag);
        comm.receive(values.data(), values.size() * sizeof(float), rank, values_tag);
        const std::size_t buffer = take_buffer();
        buffers_[buffer].set(stream_, Span<const float>(values));
        insert(place[0], place[1], view(buffer));
        free_.push_back(buffer);
    }
}

void TreeReducer::finish(Comm& comm, FlatArray& result) {
    if (comm.rank() != 0) {
        send_nodes(comm);
    } else {
        for (int rank = 1; rank < comm.size(); ++rank) receive_nodes(comm, rank);
        // What is left has no right siblings: each passes upward until it meets the node on its left.
        while (nodes_.size() > 1) {
            const Node right = nodes_.back();
            nodes_.pop_back();
            ops::add(stream_, view(nodes_.back().buffer), view(right.buffer));
            free_.push_back(right.buffer);
        }
        const std::vector<float> nothing(nodes_.empty() ? static_cast<std::size_t>(length_) : 0);
        if (nodes_.empty()) result.set(stream_, Span<const float>(nothing));
        else result.set(stream_, view(nodes_.front().buffer));
    }
    if (comm.size() > 1) {
        std::vector<float> values = result.values(stream_);
        comm.broadcast(values.data(), values.size() * sizeof(float), 0);
        result.set(stream_, Span<const float>(values));
    }
    release_all();
}

std::int64_t TreeReducer::predict_buffers(std::int64_t leaves) {
    std::int64_t levels = 1;
    while (leaves > 1) {
        leaves = (leaves + 1) / 2;
        ++levels;
    }
    return levels;
}

}  // namespace temper
