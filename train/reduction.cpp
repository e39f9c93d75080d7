#include "train/reduction.h"

#include <cstring>

namespace temper {
namespace {
constexpr int node_tag = 11, values_tag = 12;
}

std::size_t TreeReducer::take_buffer() {
    if (free_.empty()) {
        buffers_.emplace_back(static_cast<std::size_t>(length_));
        return buffers_.size() - 1;
    }
    const std::size_t buffer = free_.back();
    free_.pop_back();
    return buffer;
}

View TreeReducer::view(std::size_t buffer) { return View(buffers_[buffer].data(), DType::f32, {length_}); }

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
        std::memcpy(buffers_[held].data(), values.as<float>(), static_cast<std::size_t>(length_) * sizeof(float));
    }
    nodes_.push_back({level, index, held});
}

void TreeReducer::push(std::int64_t leaf, View values) { insert(0, leaf, values); }

void TreeReducer::finish(Comm& comm, View result) {
    const std::size_t bytes = static_cast<std::size_t>(length_) * sizeof(float);
    if (comm.rank() != 0) {
        std::int64_t header[2] = {static_cast<std::int64_t>(nodes_.size()), 0};
        comm.send(header, sizeof header, 0, node_tag);
        for (const Node& node : nodes_) {
            const std::int64_t place[2] = {node.level, node.index};
            comm.send(place, sizeof place, 0, node_tag);
            comm.send(buffers_[node.buffer].data(), bytes, 0, values_tag);
        }
    } else {
        for (int rank = 1; rank < comm.size(); ++rank) {
            std::int64_t header[2];
            comm.receive(header, sizeof header, rank, node_tag);
            for (std::int64_t i = 0; i < header[0]; ++i) {
                std::int64_t place[2];
                comm.receive(place, sizeof place, rank, node_tag);
                const std::size_t buffer = take_buffer();
                comm.receive(buffers_[buffer].data(), bytes, rank, values_tag);
                insert(place[0], place[1], view(buffer));
                free_.push_back(buffer);
            }
        }
        // What is left has no right siblings: each passes upward until it meets the node on its left.
        while (nodes_.size() > 1) {
            const Node right = nodes_.back();
            nodes_.pop_back();
            ops::add(stream_, view(nodes_.back().buffer), view(right.buffer));
            free_.push_back(right.buffer);
        }
        if (nodes_.empty()) std::memset(result.as<float>(), 0, bytes);
        else std::memcpy(result.as<float>(), buffers_[nodes_.front().buffer].data(), bytes);
    }
    comm.broadcast(result.as<float>(), bytes, 0);
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
