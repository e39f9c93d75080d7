#include "model/row_groups.h"

#include <algorithm>
#include <numeric>

namespace temper {

std::vector<std::vector<std::size_t>> group_rows(const TokenRows& rows, std::size_t begin, std::size_t end, std::int64_t tokens) {
    std::vector<std::size_t> order(end - begin);
    std::iota(order.begin(), order.end(), begin);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rows.length(a) > rows.length(b); });
    std::vector<std::vector<std::size_t>> groups;
    std::int64_t room = 0;
    for (const std::size_t row : order) {
        if (groups.empty() || rows.length(row) > room) {
            groups.emplace_back();
            room = tokens;
        }
        groups.back().push_back(row);
        room -= rows.length(row);
    }
    return groups;
}

PassStreams::PassStreams(Stream& stream, bool shared) : stream_(stream) {
    if (!shared || stream.device() != Device::cpu) return;
    for (int i = 0; i < stream.threads(); ++i) streams_.push_back(std::make_unique<Stream>(1, stream.isa()));
}

std::int64_t PassStreams::batch_tokens(std::int64_t wanted) const {
    constexpr std::int64_t in_cache = 1024, on_device = 16384;
    if (wanted > 0) return wanted;
    return streams_.empty() ? on_device : in_cache;
}

}  // namespace temper
