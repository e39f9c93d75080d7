#include "train/reduction.h"

#include <algorithm>
#include <bit>

namespace temper {
namespace {
constexpr MessageTag node_tag = MessageTag::gradient_nodes;
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
void TreeReducer::insert(std::int64_t level, std::int64_t index, View values, std::optional<std::size_t> owned) {
    View current = values;
    while (!nodes_.empty() && index % 2 == 1 && nodes_.back().level == level && nodes_.back().index == index - 1) {
        const Node left = nodes_.back();
        nodes_.pop_back();
        ops::add(stream_, view(left.buffer), current);
        if (owned) free_.push_back(*owned);
        owned = left.buffer;
        current = view(left.buffer);
        ++level;
        index /= 2;
    }
    if (!owned) {
        owned = take_buffer();
        buffers_[*owned].set(stream_, values);
    }
    nodes_.push_back({level, index, *owned});
}

void TreeReducer::push(std::int64_t leaf, View values) { insert(0, leaf, values); }

void TreeReducer::send_nodes(Comm& comm, VectorExchange& exchange) const {
    std::vector<std::int64_t> places;
    for (const Node& node : nodes_) places.insert(places.end(), {node.level, node.index});
    const std::int64_t count = static_cast<std::int64_t>(nodes_.size());
    comm.send(&count, sizeof count, 0, node_tag);
    comm.send(places.data(), places.size() * sizeof(std::int64_t), 0, node_tag);
    for (const Node& node : nodes_) exchange.send(view(node.buffer), 0);
}

void TreeReducer::receive_nodes(Comm& comm, VectorExchange& exchange, int rank) {
    std::int64_t count = 0;
    comm.receive(&count, sizeof count, rank, node_tag);
    std::vector<std::int64_t> places(2 * static_cast<std::size_t>(count));
    comm.receive(places.data(), places.size() * sizeof(std::int64_t), rank, node_tag);
    for (std::size_t i = 0; i < places.size(); i += 2) {
        const std::size_t buffer = take_buffer();
        exchange.receive(view(buffer), rank);
        insert(places[i], places[i + 1], view(buffer), buffer);
    }
}

void TreeReducer::finish(Comm& comm, VectorExchange& exchange, FlatArray& result) {
    if (comm.rank() != 0) {
        send_nodes(comm, exchange);
    } else {
        for (int rank = 1; rank < comm.size(); ++rank) receive_nodes(comm, exchange, rank);
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
    exchange.broadcast(result.view(), 0);
    release_all();
}

// Of leaves [0, n) the complete subtrees are the ones in n's binary digits. A rank that begins elsewhere has some on either side of the middle;
// rank 0 has one more, which comes from another rank.
std::int64_t TreeReducer::predict_buffers(std::int64_t leaves, std::int64_t ranks) {
    const auto digits = [](std::int64_t n) { return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(n))); };
    const std::int64_t first = std::max<std::int64_t>(1, digits(leaves + 1) - 1);
    return ranks == 1 ? first : std::max(first + 1, 2 * (digits(std::max<std::int64_t>(leaves, 2) - 1) - 1));
}

void TreeReducer::reserve(std::int64_t leaves, std::int64_t ranks) {
    const auto wanted = static_cast<std::size_t>(predict_buffers(leaves, ranks));
    while (buffers_.size() < wanted) {
        buffers_.emplace_back(stream_, length_);
        free_.push_back(buffers_.size() - 1);
    }
}

}  // namespace temper
