// What a run learns from: how the rows of a step are cut, what a micro-batch of them computes, and what a step is logged by. The loop
// (training_run.h) and the optimizer (trainer.h) are the same for every objective.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/comm/comm.h"
#include "model/decoder.h"
#include "train/batching.h"
#include "train/config.h"

namespace temper {

// Buffers of an objective: of micro-batches of at most so many computed tokens, labels and leaves; Keep::nothing is evaluation.
// quantum: tokens and labels of a micro-batch are each made up to a multiple of it, and leaves to all there may be, where it is above 1: many
// micro-batches have one shape then, and a device that keeps graphs is given the same work again and again. Rows of nobody change no bit of the others.
struct ObjectiveSize {
    std::int64_t tokens = 0, labels = 0, leaves = 0;
    Activations::Keep keep = Activations::Keep::all;
    std::int64_t quantum = 1;

    bool fills_up() const { return quantum > 1; }
    std::int64_t rows_for(std::int64_t rows) const { return (rows + quantum - 1) / quantum * quantum; }
    // With room for what is made up.
    ObjectiveSize made_up() const {
        ObjectiveSize size = *this;
        if (!fills_up()) return size;
        size.tokens = rows_for(tokens);
        size.labels = std::min(rows_for(labels), size.tokens);
        return size;
    }
};

// The rows of one step (or of an evaluation), cut into leaves.
struct StepRows {
    std::vector<std::int64_t> rows;         // dataset indices, in order
    std::vector<Range> leaves;              // ranges of `rows`
    std::vector<std::int64_t> leaf_tokens;  // that are computed
    std::vector<double> leaf_costs;         // predicted FLOPs, for balance: the same on all ranks
    std::int64_t tokens = 0;                // real ones: of every row, as the data has them
    std::int64_t labels = 0;
};

// What leaves add to a step, summed in the order of the leaves; each objective knows its own.
struct LeafSums {
    std::array<double, 16> values{};
    double flops = 0.0;  // that were spent, without the adapters' own
    LeafSums& operator+=(const LeafSums& other) {
        flops += other.flops;
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
        return *this;
    }
};

using NamedMetrics = std::vector<std::pair<std::string, double>>;

class Objective {
  public:
    virtual ~Objective() = default;
    virtual std::int64_t rows() const = 0;  // of the data
    virtual std::string source_line(std::int64_t row) const = 0;
    virtual StepRows cut(std::vector<std::int64_t> rows) const = 0;

    // Once a step, before its first micro-batch, on all ranks together: what the whole global batch decides. `mine`: the leaves of this rank;
    // `parameters`: the adapter as it is now, which the decoder has, on its device.
    // false: a signal asks to stop.
    virtual bool prepare(const StepRows& step, std::int64_t number, Range mine, Comm& comm, View parameters) = 0;
    // Some leaves of the step that was prepared; `sums` gets one entry a leaf. In training their gradients are in gradients() then, (leaves, P) f32.
    virtual void run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) = 0;
    // Where run() leaves a device at work, `sums` gets the entries of a micro-batch with a later one, and of the last ones here.
    virtual void drain(std::vector<LeafSums>& /*sums*/) {}
    virtual View gradients() const = 0;
    // After run() or drain(), of the entries that it gave: the first row whose loss is not finite, as a dataset index; -1 when all are.
    virtual std::int64_t first_non_finite_row() const = 0;

    // The loss of a step, or of an evaluation.
    virtual double loss(const LeafSums& total) const = 0;
    // By TRL's names, of one step or of several.
    virtual NamedMetrics metrics(const LeafSums& total) const = 0;
    // Of an evaluation: where a figure is a mean over few rows, with its standard error.
    virtual NamedMetrics evaluation_metrics(const LeafSums& total) const { return metrics(total); }
};

}  // namespace temper
