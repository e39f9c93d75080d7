// Which rows a step takes, and how its work is cut: rows -> leaves -> ranks and micro-batches. Everything here is a function of the
// data, the configuration and the step alone; ranks and memory only decide who computes which leaf when.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/span.h"

namespace temper {

// The order of the data over a run: epochs in turn, shuffled or not; the last step of an epoch may be short.
class StepOrder {
  public:
    struct Settings {
        std::int64_t rows = 0, global_batch_size = 1, max_steps = -1;
        double epochs = 1.0;
        bool shuffle = true;
        std::uint64_t seed = 42;
    };
    explicit StepOrder(Settings settings);
    std::int64_t total_steps() const { return total_steps_; }
    std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
    std::vector<std::int64_t> rows_of(std::int64_t step) const;  // dataset indices, step from 0
    double epoch_after(std::int64_t step) const;                 // epochs finished once `step` (from 0) is done

  private:
    Settings settings_;
    std::int64_t steps_per_epoch_, total_steps_;
    mutable std::int64_t cached_epoch_ = -1;
    mutable std::vector<std::int64_t> permutation_;
};

// torch.randperm(n) of a generator seeded with `seed`: the order of accelerate's seedable sampler.
std::vector<std::int64_t> torch_permutation(std::int64_t n, std::uint64_t seed);

struct Range {
    std::int64_t begin = 0, end = 0;
    std::int64_t size() const { return end - begin; }
};

// Of a row: tokens that are computed, and those among them whose prediction counts.
struct RowSize {
    std::int64_t tokens = 0, labels = 0;
};
// The most labels that at most `count` rows of at most `tokens` tokens together can have; a bound.
std::int64_t bound_labels(std::vector<RowSize> rows, std::int64_t count, std::int64_t tokens);

// Whole rows, in order, until at least leaf_tokens.
std::vector<Range> cut_leaves(Span<const std::int64_t> row_lengths, std::int64_t leaf_tokens);
// A contiguous range of leaves for each rank, by cost; some may be empty.
std::vector<Range> share_leaves(Span<const double> leaf_costs, int ranks);
// Consecutive leaves of `mine` that together hold at most `limit` tokens; a larger leaf stands alone.
std::vector<Range> cut_micro_batches(Range mine, Span<const std::int64_t> leaf_lengths, std::int64_t limit);

}  // namespace temper
