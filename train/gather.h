// Values of all ranks on all ranks, in the order of the ranks: what ranks with consecutive leaves hold together is in the order of the leaves.
#pragma once
#include <cstdint>
#include <vector>

#include "io/comm/comm.h"

namespace temper {

template <class T> std::vector<T> gather_in_order(Comm& comm, std::vector<T> mine) {
    constexpr MessageTag tag = MessageTag::gathered_rows;
    if (comm.size() == 1) return mine;
    auto count = static_cast<std::int64_t>(mine.size());
    if (comm.rank() != 0) {
        comm.send(&count, sizeof count, 0, tag);
        if (count > 0) comm.send(mine.data(), mine.size() * sizeof(T), 0, tag);
    }
    for (int rank = 1; comm.rank() == 0 && rank < comm.size(); ++rank) {
        std::int64_t theirs = 0;
        comm.receive(&theirs, sizeof theirs, rank, tag);
        const std::size_t begin = mine.size();
        mine.resize(begin + static_cast<std::size_t>(theirs));
        if (theirs > 0) comm.receive(mine.data() + begin, static_cast<std::size_t>(theirs) * sizeof(T), rank, tag);
    }
    count = static_cast<std::int64_t>(mine.size());
    comm.broadcast(&count, sizeof count, 0);
    mine.resize(static_cast<std::size_t>(count));
    if (count > 0) comm.broadcast(mine.data(), mine.size() * sizeof(T), 0);
    return mine;
}

}  // namespace temper
