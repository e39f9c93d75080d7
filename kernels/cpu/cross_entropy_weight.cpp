// The gradient of a head that is trained whole. A thread owns a tile of the vocabulary: logits of all labelled rows, their probabilities, and
// the tile's rows of d_weight, each a sum over the labelled rows that no other thread takes part in.
#include <cmath>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/loss_rows.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/scratch.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kTile = 384;  // rows of the weight

struct WeightGradient {
    Stream& stream;
    const PackedLinear& head;
    View d_weight, x, nll;
    Span<const std::int32_t> rows, labels;
    float grad_scale, softcap;
    float* inputs = nullptr;       // (M, D)
    float* log_totals = nullptr;   // (M): log of the sum of exponentials
    float* tiles = nullptr;        // a thread's: weights (kTile, D) of a bfloat16 head, logits (M, kTile), slopes (kTile)
    std::int64_t tile_floats = 0;  // of one thread

    std::int64_t count() const { return static_cast<std::int64_t>(rows.size()); }

    void gather() const {
        const std::int64_t d = head.in;
        parallel_for(stream, count(), [&](std::int64_t i) {
            const std::int64_t row = rows[static_cast<std::size_t>(i)];
            float* const to = inputs + i * d;
            if (head.dtype == DType::f32) std::memcpy(to, x.row<float>(row), static_cast<std::size_t>(d) * sizeof(float));
            else row_kernels<bf16>(stream.isa()).widen(to, x.row<bf16>(row), d);
        });
    }

    // The label's logit once more, so that the sum of exponentials need not be found again: log(sum) = nll + logit.
    void find_totals() const {
        const std::int64_t d = head.in;
        parallel_for(stream, count(), [&](std::int64_t i, int thread) {
            float* const weight = tiles + thread * tile_floats;
            head.unpack_row(weight, labels[static_cast<std::size_t>(i)]);
            double logit = 0.0;
            for (std::int64_t k = 0; k < d; ++k) logit += static_cast<double>(inputs[i * d + k]) * static_cast<double>(weight[k]);
            float capped = static_cast<float>(logit);
            if (softcap > 0.0f) loss_kernels(stream.isa()).cap(&capped, nullptr, 1, softcap);
            log_totals[i] = nll.as<float>()[i] + capped;
        });
    }

    void tile(std::int64_t first, int thread) const {
        const std::int64_t d = head.in, columns = std::min(kTile, head.out - first);
        float* const memory = tiles + thread * tile_floats;
        float* const logits = memory + kTile * d;
        float* const slopes = logits + count() * kTile;
        for (std::int64_t c = 0; c < columns; ++c) head.unpack_row(memory + c * d, first + c);
        multiply(logits, columns, {inputs, d}, {memory, d, true}, count(), columns, d, 1.0f, 0.0f);
        for (std::int64_t i = 0; i < count(); ++i) probabilities(logits + i * columns, slopes, i, first, columns);
        multiply(d_weight.row<float>(first), d_weight.row_stride(), {logits, columns, true}, {inputs, d}, columns, d, count(), grad_scale, 0.0f);
    }

    // Logits become softmax - onehot; of the label 1 - p from its loss, which knows it where p rounds to 1.
    void probabilities(float* row, float* slopes, std::int64_t i, std::int64_t first, std::int64_t columns) const {
        const LossKernels& kernels = loss_kernels(stream.isa());
        if (softcap > 0.0f) kernels.cap(row, slopes, columns, softcap);
        const std::int64_t label = labels[static_cast<std::size_t>(i)] - first;
        for (std::int64_t c = 0; c < columns; ++c) row[c] = std::exp(row[c] - log_totals[i]);
        if (label >= 0 && label < columns) row[label] = std::expm1(-nll.as<float>()[i]);
        if (softcap > 0.0f) kernels.multiply_rows(row, slopes, columns);
    }
};

std::int64_t tile_size(std::int64_t labels, std::int64_t width) { return kTile * width + labels * kTile + kTile; }

}  // namespace

void linear_cross_entropy_weight(Stream& stream, View d_weight, View x, const PackedLinear& head, View nll, Span<const std::int32_t> rows,
                                 Span<const std::int32_t> labels, float grad_scale, float softcap) {
    WeightGradient gradient{stream, head, d_weight, x, nll, rows, labels, grad_scale, softcap};
    const std::int64_t m = gradient.count(), d = head.in;
    if (m == 0) {
        parallel_for(stream, head.out,
                     [&](std::int64_t row) { std::memset(d_weight.row<float>(row), 0, static_cast<std::size_t>(d) * sizeof(float)); });
        return;
    }
    gradient.tile_floats = tile_size(m, d);
    ScratchCuts cuts(stream, linear_cross_entropy_weight_scratch(m, d, stream.threads()));
    gradient.inputs = cuts.take<float>(m * d);
    gradient.log_totals = cuts.take<float>(m);
    gradient.tiles = cuts.take<float>(gradient.tile_floats * stream.threads());
    gradient.gather();
    gradient.find_totals();
    parallel_for(stream, (head.out + kTile - 1) / kTile, [&](std::int64_t tile, int thread) { gradient.tile(tile * kTile, thread); });
}

std::size_t linear_cross_entropy_weight_scratch(std::int64_t labels, std::int64_t width, int threads) {
    return ScratchCuts::bytes<float>(labels * width) + ScratchCuts::bytes<float>(labels) +
           ScratchCuts::bytes<float>(tile_size(labels, width) * threads);
}

}  // namespace temper::cpu
