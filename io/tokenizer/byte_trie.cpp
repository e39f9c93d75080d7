#include "io/tokenizer/byte_trie.h"

#include <algorithm>

namespace temper::tok {

// Breadth first over the sorted strings: a node is a run of them that share its prefix.
ByteTrie::ByteTrie(std::vector<Entry> entries) : first_(256, none) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.first < b.first; });
    struct Run {
        std::size_t begin, end;
    };
    std::vector<Run> runs = {{0, entries.size()}}, next;
    nodes_.emplace_back();
    labels_.push_back(0);
    std::size_t first_of_level = 0;
    for (std::size_t depth = 0; !runs.empty(); ++depth) {
        next.clear();
        const std::size_t level = nodes_.size();
        for (std::size_t r = 0; r < runs.size(); ++r) {
            const std::size_t node = first_of_level + r;
            std::size_t at = runs[r].begin;
            for (; at < runs[r].end && entries[at].first.size() == depth; ++at)
                if (depth > 0) nodes_[node].value = entries[at].second;
            nodes_[node].child = static_cast<std::uint32_t>(nodes_.size());
            while (at < runs[r].end) {
                const char byte = entries[at].first[depth];
                std::size_t end = at;
                while (end < runs[r].end && entries[end].first[depth] == byte) ++end;
                next.push_back({at, end});
                ++nodes_[node].children;
                nodes_.emplace_back();
                labels_.push_back(static_cast<unsigned char>(byte));
                at = end;
            }
        }
        first_of_level = level;
        runs.swap(next);
    }
    for (std::uint32_t i = 0; i < nodes_[root].children; ++i) first_[labels_[nodes_[root].child + i]] = nodes_[root].child + i;
}

}  // namespace temper::tok
