#include "train/batching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace temper {

std::vector<std::int64_t> torch_permutation(std::int64_t n, std::uint64_t seed) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::mt19937 generator(static_cast<std::uint32_t>(seed));
    for (std::int64_t i = 0; i + 1 < n; ++i) {
        const auto z = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(n - i));
        std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(i + z)]);
    }
    return order;
}

StepOrder::StepOrder(Settings settings) : settings_(settings) {
    steps_per_epoch_ = (settings.rows + settings.global_batch_size - 1) / settings.global_batch_size;
    total_steps_ =
        settings.max_steps > 0 ? settings.max_steps : static_cast<std::int64_t>(std::ceil(settings.epochs * static_cast<double>(steps_per_epoch_)));
}

std::vector<std::int64_t> StepOrder::rows_of(std::int64_t step) const {
    const std::int64_t epoch = step / steps_per_epoch_, first = step % steps_per_epoch_ * settings_.global_batch_size;
    if (epoch != cached_epoch_) {
        if (settings_.shuffle) {
            permutation_ = torch_permutation(settings_.rows, settings_.seed + static_cast<std::uint64_t>(epoch));
        } else {
            permutation_.resize(static_cast<std::size_t>(settings_.rows));
            std::iota(permutation_.begin(), permutation_.end(), std::int64_t{0});
        }
        cached_epoch_ = epoch;
    }
    const std::int64_t last = std::min(first + settings_.global_batch_size, settings_.rows);
    return {permutation_.begin() + first, permutation_.begin() + last};
}

double StepOrder::epoch_after(std::int64_t step) const { return static_cast<double>(step + 1) / static_cast<double>(steps_per_epoch_); }

std::int64_t bound_labels(std::vector<RowSize> rows, std::int64_t count, std::int64_t tokens) {
    std::int64_t labels = 0, left = tokens;
    std::sort(rows.begin(), rows.end(), [](const RowSize& a, const RowSize& b) { return a.labels > b.labels; });
    for (std::size_t i = 0; i < rows.size() && static_cast<std::int64_t>(i) < count; ++i) labels += rows[i].labels;
    // Without regard to their number: the densest rows, the last of them in part.
    std::sort(rows.begin(), rows.end(), [](const RowSize& a, const RowSize& b) {
        return a.labels * std::max<std::int64_t>(b.tokens, 1) > b.labels * std::max<std::int64_t>(a.tokens, 1);
    });
    std::int64_t dense = 0;
    for (const RowSize& row : rows) {
        if (row.tokens > left) {
            dense += row.labels * left / row.tokens;
            break;
        }
        dense += row.labels;
        left -= row.tokens;
    }
    return std::min({labels, dense, tokens});
}

std::vector<Range> cut_leaves(Span<const std::int64_t> row_lengths, std::int64_t leaf_tokens) {
    std::vector<Range> leaves;
    std::int64_t tokens = leaf_tokens;  // none is begun
    const auto rows = static_cast<std::int64_t>(row_lengths.size());
    for (std::int64_t row = 0; row < rows; ++row) {
        if (tokens >= leaf_tokens) {
            leaves.push_back({row, row});
            tokens = 0;
        }
        tokens += row_lengths[static_cast<std::size_t>(row)];
        leaves.back().end = row + 1;
    }
    return leaves;
}

// A leaf goes to the rank in whose share of the total cost its middle lies: contiguous, and never more than half a leaf off.
std::vector<Range> share_leaves(Span<const double> leaf_costs, int ranks) {
    double total = 0.0, before = 0.0;
    for (const double cost : leaf_costs) total += cost;
    std::vector<Range> shares(static_cast<std::size_t>(ranks));
    std::size_t rank = 0;
    for (std::size_t leaf = 0; leaf < leaf_costs.size(); ++leaf) {
        const double middle = (before + 0.5 * leaf_costs[leaf]) / total * ranks;
        const auto owner = std::min(static_cast<std::size_t>(middle), shares.size() - 1);
        while (rank < owner) {
            ++rank;
            shares[rank] = {static_cast<std::int64_t>(leaf), static_cast<std::int64_t>(leaf)};
        }
        shares[rank].end = static_cast<std::int64_t>(leaf) + 1;
        before += leaf_costs[leaf];
    }
    while (++rank < shares.size()) shares[rank] = {static_cast<std::int64_t>(leaf_costs.size()), static_cast<std::int64_t>(leaf_costs.size())};
    return shares;
}

std::vector<Range> cut_micro_batches(Range mine, Span<const std::int64_t> leaf_lengths, std::int64_t limit) {
    std::vector<Range> batches;
    std::int64_t tokens = 0;
    for (std::int64_t leaf = mine.begin; leaf < mine.end; ++leaf) {
        const std::int64_t length = leaf_lengths[static_cast<std::size_t>(leaf)];
        if (batches.empty() || tokens + length > limit) {
            batches.push_back({leaf, leaf});
            tokens = 0;
        }
        batches.back().end = leaf + 1;
        tokens += length;
    }
    return batches;
}

}  // namespace temper
