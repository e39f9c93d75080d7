// Linear + cross-entropy without the logits.
// bfloat16: a thread takes a block of labelled rows through the vocabulary once, tile by tile: logits of the tile, their exponentials by
// the largest logit so far, and at once their product back with the same part of the weights; when a larger logit appears, what was
// summed before is scaled down. The label is left out of the sums: d_x = scale / total * (sums - others * row of the label).
//                                                                                                  [as attention does: Dao et al. 2022]
// float32: logits of a block in scratch, turned into their own gradient in place, then multiplied back.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/loss_rows.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/transpose.h"

namespace temper::cpu {
namespace {

// bfloat16: what one thread holds in its second-level cache. Tiles want more rows, since transposing weighs more beside faster products.
constexpr std::int64_t kVocabularyTile = 512;
constexpr std::int64_t block_rows(Isa isa) { return isa == Isa::amx ? 256 : 128; }
constexpr std::int64_t kTileRows = 64;  // float32: fixed BLAS shapes, see linear_f32.cpp
constexpr std::int64_t kLogitTile = 384, kInputTile = 96;

struct Loss {
    Stream& stream;
    const PackedLinear& head;
    View nll, correct, d_x, x;
    Span<const std::int32_t> rows, labels;
    float grad_scale, softcap;  // softcap 0: none

    std::int64_t row_at(std::int64_t index) const { return rows[static_cast<std::size_t>(index)]; }
    std::int64_t label_at(std::int64_t index) const { return labels[static_cast<std::size_t>(index)]; }
    void set(std::int64_t index, float loss, bool is_correct) const {
        nll.as<float>()[index] = loss;
        correct.as<std::int32_t>()[index] = is_correct ? 1 : 0;
    }
};

void zero_rows(const Stream& stream, View view) {
    parallel_for(stream, view.size(0), [&](std::int64_t row) {
        char* const data = static_cast<char*>(view.data) + row * view.row_stride() * size_of(view.dtype);
        std::memset(data, 0, static_cast<std::size_t>(view.size(1) * size_of(view.dtype)));
    });
}

// Scratch of one thread.
struct LossBlock {
    float* logits = nullptr;     // (rows, kVocabularyTile); their exponentials as bfloat16 in place
    bf16* inputs = nullptr;      // (rows, depth)
    float* sums = nullptr;       // (rows, D): of exp(logit - largest) times rows of the weight
    bf16* transposed = nullptr;  // the tile's weights as panels of D, kVocabularyTile deep
    OnlineLoss* states = nullptr;
    bf16* expanded = nullptr;  // the tile's weights where the head is quantised

    static std::int64_t expanded_count(std::int64_t depth) { return kVocabularyTile * depth; }
    static std::size_t bytes(std::int64_t rows, std::int64_t in, std::int64_t depth, bool gradient) {
        return ScratchCuts::bytes<float>(rows * kVocabularyTile) + ScratchCuts::bytes<bf16>(rows * depth) + ScratchCuts::bytes<OnlineLoss>(rows) +
               (gradient ? ScratchCuts::bytes<float>(rows * in) + ScratchCuts::bytes<bf16>(panels_of(in) * kPanelColumns * kVocabularyTile) : 0);
    }
    LossBlock(ScratchCuts& cuts, std::int64_t rows, std::int64_t in, std::int64_t depth, bool gradient, bool quantized) {
        if (quantized) expanded = cuts.take<bf16>(expanded_count(depth));
        logits = cuts.take<float>(rows * kVocabularyTile);
        inputs = cuts.take<bf16>(rows * depth);
        states = cuts.take<OnlineLoss>(rows);
        if (!gradient) return;
        sums = cuts.take<float>(rows * in);
        transposed = cuts.take<bf16>(panels_of(in) * kPanelColumns * kVocabularyTile);
    }
};

struct LossBf16 : Loss {
    bool gradient() const { return !d_x.empty(); }

    void run() const {
        const std::int64_t m = static_cast<std::int64_t>(rows.size()), depth = head.weight.depth, threads = stream.threads();
        std::int64_t blocks = (m + block_rows(stream.isa()) - 1) / block_rows(stream.isa());
        if (m >= threads) blocks = round_up(blocks, threads);
        const std::int64_t most = (m + blocks - 1) / blocks;
        const bool quantized = head.is_quantized();
        const std::size_t bytes =
            LossBlock::bytes(most, head.in, depth, gradient()) + (quantized ? ScratchCuts::bytes<bf16>(LossBlock::expanded_count(depth)) : 0);
        char* const memory = static_cast<char*>(stream.scratch(bytes * static_cast<std::size_t>(threads)));
        parallel_for(stream, blocks, [&](std::int64_t item, int thread) {
            ScratchCuts cuts(memory + bytes * static_cast<std::size_t>(thread));
            block(LossBlock(cuts, most, head.in, depth, gradient(), quantized), even_part(m, item, blocks));
        });
    }

  private:
    void block(const LossBlock& b, Range part) const {
        const std::int64_t count = part.size(), depth = head.weight.depth;
        for (std::int64_t i = 0; i < count; ++i) {
            std::memcpy(b.inputs + i * depth, x.row<bf16>(row_at(part.begin + i)), static_cast<std::size_t>(head.in) * sizeof(bf16));
            std::memset(b.inputs + i * depth + head.in, 0, static_cast<std::size_t>(depth - head.in) * sizeof(bf16));
            b.states[i] = OnlineLoss();
        }
        for (std::int64_t first = 0; first < head.out; first += kVocabularyTile) {
            const std::int64_t columns = std::min(kVocabularyTile, head.out - first);
            project(b, tile(b, first, columns), count, first, columns);
            exponentials(b, part, first, columns);
            if (gradient()) project_back(b, count, first, columns);
        }
        for (std::int64_t i = 0; i < count; ++i) {
            const OnlineLoss& state = b.states[i];
            const float total = state.others + loss_kernels(stream.isa()).exponential(state.wanted - state.largest);
            set(part.begin + i, std::log(total) + (state.largest - state.wanted), state.correct());
            if (gradient()) write_gradient(b, b.sums + i * head.in, state, total, part.begin + i);
        }
    }

    // The weights of a tile of the vocabulary.
    Panels tile(const LossBlock& b, std::int64_t first, std::int64_t columns) const {
        const std::int64_t panel = first / kPanelColumns, depth = head.weight.depth;
        if (!head.is_quantized()) return {head.weight.data + panel * head.weight.stride(), columns, depth};
        const Panels result{b.expanded, columns, depth};
        for (std::int64_t i = 0; i < panels_of(columns); ++i) expand_panel(stream.isa(), result.data + i * result.stride(), head, panel + i);
        return result;
    }

    void project(const LossBlock& b, const Panels& weights, std::int64_t count, std::int64_t first, std::int64_t columns) const {
        GemmBlock g;
        g.rows = count;
        g.columns = columns;
        g.panel_end = panels_of(columns);
        g.depth = head.weight.depth;
        g.a = b.inputs;
        g.a_stride = g.depth;
        g.panels = weights.data;
        g.panel_stride = weights.stride();
        g.out = b.logits;
        g.out_stride = kVocabularyTile;
        g.out_f32 = true;
        g.bias = head.bias == nullptr ? nullptr : head.bias + first;
        gemm(stream.isa(), g);
    }

    void exponentials(const LossBlock& b, Range part, std::int64_t first, std::int64_t columns) const {
        const LossKernels& kernels = loss_kernels(stream.isa());
        const std::int64_t depth = round_up(columns, kDepthStep);
        for (std::int64_t i = 0; i < part.size(); ++i) {
            float* const row = b.logits + i * kVocabularyTile;
            bf16* const out = gradient() ? reinterpret_cast<bf16*>(row) : nullptr;
            if (softcap > 0.0f) kernels.cap(row, nullptr, columns, softcap);
            const float factor =
                kernels.online(b.states[i], out, row, columns, label_at(part.begin + i) - first, softcap > 0.0f ? 1.0f / softcap : 0.0f);
            if (!gradient()) continue;
            std::memset(out + columns, 0, static_cast<std::size_t>(depth - columns) * sizeof(bf16));
            if (first > 0 && factor != 1.0f) kernels.multiply(b.sums + i * head.in, head.in, factor);
        }
    }

    void project_back(const LossBlock& b, std::int64_t count, std::int64_t first, std::int64_t columns) const {
        GemmBlock g;
        g.rows = count;
        g.columns = head.in;
        g.panel_end = panels_of(head.in);
        g.depth = round_up(columns, kDepthStep);
        g.a = reinterpret_cast<const bf16*>(b.logits);
        g.a_stride = 2 * kVocabularyTile;
        g.panels = b.transposed;
        g.panel_stride = kVocabularyTile * kPanelColumns;
        g.out = b.sums;
        g.out_stride = head.in;
        g.out_f32 = true;
        g.accumulate = first > 0;
        const Panels weights = head.is_quantized()
                                   ? Panels{b.expanded, columns, head.weight.depth}
                                   : Panels{head.weight.data + first / kPanelColumns * head.weight.stride(), columns, head.weight.depth};
        transpose_panels(stream.isa(), b.transposed, g.panel_stride, weights, {0, g.panel_end}, {0, g.depth / kPanelColumns});
        gemm(stream.isa(), g);
    }

    // The label's own exponential is in neither `sums` nor `others`: p - 1 = -others / total.
    void write_gradient(const LossBlock& b, float* sums, const OnlineLoss& state, float total, std::int64_t index) const {
        const std::int64_t label = label_at(index);
        const float t = softcap > 0.0f ? state.wanted / softcap : 0.0f, others = state.others * (1.0f - t * t);
        const float factor = grad_scale / total;
        if (head.is_quantized()) {
            expand_row(stream.isa(), b.expanded, head, label, 0, head.in);
            for (std::int64_t k = 0; k < head.in; ++k) sums[k] = (sums[k] - others * from_bf16(b.expanded[k])) * factor;
        } else {
            for (std::int64_t k = 0; k < head.in; ++k) sums[k] = (sums[k] - others * from_bf16(head.weight.at(k, label))) * factor;
        }
        row_kernels<bf16>(stream.isa()).narrow(d_x.row<bf16>(row_at(index)), sums, head.in);
    }
};

struct LossF32 : Loss {
    std::int64_t stride = 0;        // of logits
    float* logits = nullptr;        // (kTileRows, stride)
    float* inputs = nullptr;        // (kTileRows, D)
    float* gradients = nullptr;     // (kTileRows, D)
    float* slopes = nullptr;        // (threads, stride), with a softcap
    const float* weight = nullptr;  // (V, D)

    void run() {
        const std::int64_t m = static_cast<std::int64_t>(rows.size()), d = head.in;
        stride = head.out;
        const std::int64_t slope_rows = softcap > 0.0f ? stream.threads() : 0;
        ScratchCuts cuts(stream, ScratchCuts::bytes<float>(kTileRows * stride) + 2 * ScratchCuts::bytes<float>(kTileRows * d) +
                                     ScratchCuts::bytes<float>(slope_rows * stride) + ScratchCuts::bytes<float>(WholeWeight::expanded_count(head)));
        logits = cuts.take<float>(kTileRows * stride);
        inputs = cuts.take<float>(kTileRows * d);
        gradients = cuts.take<float>(kTileRows * d);
        slopes = cuts.take<float>(slope_rows * stride);
        weight = WholeWeight(stream, head, cuts.take<float>(WholeWeight::expanded_count(head))).rows;
        for (std::int64_t first = 0; first < m; first += kTileRows) {
            const std::int64_t count = std::min(kTileRows, m - first);
            project(first, count);
            losses(first, count);
            if (!d_x.empty()) project_back(first, count);
        }
    }

    // Losses of `count` rows from `first`; their logits become gradients.
    void losses(std::int64_t first, std::int64_t count) const {
        const LossKernels& kernels = loss_kernels(stream.isa());
        parallel_for(stream, count, [&](std::int64_t i, int thread) {
            float* const row = logits + i * stride;
            float* const slope = softcap > 0.0f ? slopes + thread * stride : nullptr;
            if (slope != nullptr) kernels.cap(row, slope, head.out, softcap);
            const RowLoss loss = kernels.loss(row, head.out, label_at(first + i));
            set(first + i, loss.nll, loss.correct);
            if (!d_x.empty()) kernels.gradient(row, row, head.out, label_at(first + i), loss.sum, grad_scale);
            if (!d_x.empty() && slope != nullptr) kernels.multiply_rows(row, slope, head.out);
        });
    }

    void project(std::int64_t first, std::int64_t count) const {
        const std::int64_t d = head.in, v = head.out;
        std::memset(inputs, 0, static_cast<std::size_t>(kTileRows * d) * sizeof(float));
        for (std::int64_t i = 0; i < count; ++i)
            std::memcpy(inputs + i * d, x.row<float>(row_at(first + i)), static_cast<std::size_t>(d) * sizeof(float));
        parallel_for(stream, (v + kLogitTile - 1) / kLogitTile, [&](std::int64_t tile) {
            const std::int64_t begin = tile * kLogitTile, columns = std::min(kLogitTile, v - begin);
            multiply(logits + begin, stride, {inputs, d}, {weight + begin * d, d, true}, kTileRows, columns, d, 1.0f, 0.0f);
            if (head.bias == nullptr) return;
            for (std::int64_t i = 0; i < count; ++i)
                for (std::int64_t c = begin; c < begin + columns; ++c) logits[i * stride + c] += head.bias[c];
        });
    }

    void project_back(std::int64_t first, std::int64_t count) const {
        const std::int64_t d = head.in, v = head.out;
        for (std::int64_t i = count; i < kTileRows; ++i) std::memset(logits + i * stride, 0, static_cast<std::size_t>(v) * sizeof(float));
        parallel_for(stream, (d + kInputTile - 1) / kInputTile, [&](std::int64_t tile) {
            const std::int64_t begin = tile * kInputTile, columns = std::min(kInputTile, d - begin);
            multiply(gradients + begin, d, {logits, stride}, {weight + begin, d}, kTileRows, columns, v, 1.0f, 0.0f);
            for (std::int64_t i = 0; i < count; ++i)
                std::memcpy(d_x.row<float>(row_at(first + i)) + begin, gradients + i * d + begin, static_cast<std::size_t>(columns) * sizeof(float));
        });
    }
};

}  // namespace

void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const PackedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap) {
    if (!d_x.empty()) zero_rows(stream, d_x);
    if (rows.empty()) return;
    const Loss loss{stream, head, nll, correct, d_x, x, rows, labels, grad_scale, softcap};
    if (head.dtype == DType::f32) LossF32{loss}.run();
    else LossBf16{loss}.run();
}

std::size_t linear_cross_entropy_scratch(DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int threads) {
    if (dtype == DType::f32)
        return ScratchCuts::bytes<float>((kTileRows + threads) * vocabulary) + 2 * ScratchCuts::bytes<float>(kTileRows * hidden_size);
    const std::int64_t rows = std::min(tokens, block_rows(best_isa()));
    return LossBlock::bytes(rows, hidden_size, round_up(hidden_size, kDepthStep), true) * static_cast<std::size_t>(threads);
}

std::size_t expanded_head_scratch(DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int threads) {
    if (dtype == DType::f32) return ScratchCuts::bytes<float>(hidden_size * vocabulary);
    return ScratchCuts::bytes<bf16>(LossBlock::expanded_count(round_up(hidden_size, kDepthStep))) * static_cast<std::size_t>(threads);
}

}  // namespace temper::cpu
