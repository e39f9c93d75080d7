// Linear + cross-entropy over blocks of labelled rows: logits of a block (float32) in scratch, turned into their own gradient in
// place, then multiplied back. Threads share the vocabulary, then the rows, then the columns of d_x, so that the weights are read
// once a block.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/loss_rows.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/transpose.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kBlockRows = 120;                      // bfloat16: whole register tiles; the weights are read once a block
constexpr std::int64_t kLogitBytes = std::int64_t{48} << 20;  // most scratch for logits: large vocabularies take fewer rows
constexpr std::int64_t kDepthChunk = 1024;                    // of the vocabulary in the product back: the chunk of gradients stays in cache
constexpr std::int64_t kTileRows = 64;                        // float32: fixed BLAS shapes, see linear_f32.cpp
constexpr std::int64_t kLogitTile = 384, kInputTile = 96;

struct Loss {
    Stream& stream;
    const PreparedLinear::Impl& head;
    View nll, correct, d_x, x;
    Span<const std::int32_t> rows, labels;
    float grad_scale;
    std::int64_t block_rows = 0, stride = 0;  // of logits, in floats
    float* logits = nullptr;                  // (block_rows, stride)

    // Losses of `count` rows from `first`; their logits become gradients.
    template <class T> void losses(std::int64_t first, std::int64_t count) const {
        const LossKernels& kernels = loss_kernels(stream.isa());
        parallel_for(stream, count, [&](std::int64_t i) {
            const std::int64_t index = first + i, v = head.out, label = labels[static_cast<std::size_t>(index)];
            float* const row = logits + i * stride;
            const RowLoss loss = kernels.loss(row, v, label);
            nll.as<float>()[index] = loss.nll;
            correct.as<std::int32_t>()[index] = loss.correct ? 1 : 0;
            if (d_x.empty()) return;
            T* const gradient = reinterpret_cast<T*>(row);
            if constexpr (sizeof(T) == sizeof(float)) kernels.gradient_f32(gradient, row, v, label, loss.sum, grad_scale);
            else kernels.gradient_bf16(gradient, row, v, label, loss.sum, grad_scale);
            std::memset(gradient + v, 0, static_cast<std::size_t>(stride - v) * sizeof(T));
        });
    }
    std::int64_t row_at(std::int64_t index) const { return rows[static_cast<std::size_t>(index)]; }
};

void zero_rows(const Stream& stream, View view) {
    parallel_for(stream, view.size(0), [&](std::int64_t row) {
        char* const data = static_cast<char*>(view.data) + row * view.row_stride() * size_of(view.dtype);
        std::memset(data, 0, static_cast<std::size_t>(view.size(1) * size_of(view.dtype)));
    });
}

std::int64_t rows_of_block(std::int64_t labelled, std::int64_t stride) {
    return std::min({labelled, kBlockRows, std::max<std::int64_t>(12, kLogitBytes / (stride * static_cast<std::int64_t>(sizeof(float))))});
}

struct LossBf16 : Loss {
    bf16* inputs = nullptr;      // (block_rows, depth)
    float* gradients = nullptr;  // (block_rows, D)
    bf16* transposed = nullptr;  // a chunk of the vocabulary as depth: panels of D, kDepthChunk deep

    void run() {
        const std::int64_t m = static_cast<std::int64_t>(rows.size()), depth = head.weight.depth;
        stride = round_up(head.out, kDepthStep);
        block_rows = rows_of_block(m, stride);
        const std::int64_t gradient_count = d_x.empty() ? 0 : block_rows * head.in;
        const std::int64_t transposed_count = d_x.empty() ? 0 : panels_of(head.in) * kPanelColumns * kDepthChunk;
        ScratchCuts cuts(stream, ScratchCuts::bytes<float>(block_rows * stride) + ScratchCuts::bytes<bf16>(block_rows * depth) +
                                     ScratchCuts::bytes<float>(gradient_count) + ScratchCuts::bytes<bf16>(transposed_count));
        logits = cuts.take<float>(block_rows * stride);
        inputs = cuts.take<bf16>(block_rows * depth);
        gradients = cuts.take<float>(gradient_count);
        transposed = cuts.take<bf16>(transposed_count);
        for (std::int64_t first = 0; first < m; first += block_rows) {
            const std::int64_t count = std::min(block_rows, m - first);
            project(first, count);
            losses<bf16>(first, count);
            if (!d_x.empty()) project_back(first, count);
        }
    }

    void project(std::int64_t first, std::int64_t count) const {
        const std::int64_t depth = head.weight.depth, panels = panels_of(head.out), parts = stream.threads() * std::int64_t{4};
        for (std::int64_t i = 0; i < count; ++i) {
            std::memcpy(inputs + i * depth, x.row<bf16>(row_at(first + i)), static_cast<std::size_t>(head.in) * sizeof(bf16));
            std::memset(inputs + i * depth + head.in, 0, static_cast<std::size_t>(depth - head.in) * sizeof(bf16));
        }
        GemmBlock g;
        g.columns = head.out;
        g.depth = depth;
        g.a = inputs;
        g.a_stride = depth;
        g.panels = head.weight.data;
        g.panel_stride = head.weight.stride();
        g.out = logits;
        g.out_stride = stride;
        g.out_f32 = true;
        g.bias = head.bias;
        parallel_for(stream, parts, [&](std::int64_t part) {
            const Range pairs = even_part((panels + 1) / 2, part, parts);
            gemm(stream.isa(), part_of(g, {0, count}, {pairs.begin * 2, std::min(pairs.end * 2, panels)}));
        });
    }

    // d_x = gradient of the logits times W, the vocabulary in chunks over float32 sums.
    void project_back(std::int64_t first, std::int64_t count) const {
        const std::int64_t panels = panels_of(head.in), pairs = (panels + 1) / 2, parts = std::min<std::int64_t>(pairs, stream.threads());
        const RowKernels<bf16>& kernels = row_kernels<bf16>(stream.isa());
        GemmBlock g;
        g.columns = head.in;
        g.a_stride = 2 * stride;
        g.panels = transposed;
        g.panel_stride = kDepthChunk * kPanelColumns;
        g.out = gradients;
        g.out_stride = head.in;
        g.out_f32 = true;
        parallel_for(stream, parts, [&](std::int64_t part) {
            const Range mine = even_part(pairs, part, parts);
            const Range part_panels{mine.begin * 2, std::min(mine.end * 2, panels)};
            GemmBlock chunk = g;
            for (std::int64_t k = 0; k < stride; k += kDepthChunk) {
                chunk.depth = std::min(kDepthChunk, stride - k);
                chunk.a = reinterpret_cast<const bf16*>(logits) + k;
                chunk.accumulate = k > 0;
                transpose_panels(stream.isa(), transposed + part_panels.begin * g.panel_stride, g.panel_stride, head.weight, part_panels,
                                 {k / kPanelColumns, (k + chunk.depth) / kPanelColumns});
                gemm(stream.isa(), part_of(chunk, {0, count}, part_panels));
            }
            const std::int64_t begin = part_panels.begin * kPanelColumns, end = std::min(part_panels.end * kPanelColumns, head.in);
            for (std::int64_t i = 0; i < count; ++i)
                kernels.narrow(d_x.row<bf16>(row_at(first + i)) + begin, gradients + i * head.in + begin, end - begin);
        });
    }
};

struct LossF32 : Loss {
    float* inputs = nullptr;     // (kTileRows, D)
    float* gradients = nullptr;  // (kTileRows, D)

    void run() {
        const std::int64_t m = static_cast<std::int64_t>(rows.size()), d = head.in;
        stride = head.out;
        ScratchCuts cuts(stream, ScratchCuts::bytes<float>(kTileRows * stride) + 2 * ScratchCuts::bytes<float>(kTileRows * d));
        logits = cuts.take<float>(kTileRows * stride);
        inputs = cuts.take<float>(kTileRows * d);
        gradients = cuts.take<float>(kTileRows * d);
        for (std::int64_t first = 0; first < m; first += kTileRows) {
            const std::int64_t count = std::min(kTileRows, m - first);
            project(first, count);
            losses<float>(first, count);
            if (!d_x.empty()) project_back(first, count);
        }
    }

    void project(std::int64_t first, std::int64_t count) const {
        const std::int64_t d = head.in, v = head.out;
        std::memset(inputs, 0, static_cast<std::size_t>(kTileRows * d) * sizeof(float));
        for (std::int64_t i = 0; i < count; ++i)
            std::memcpy(inputs + i * d, x.row<float>(row_at(first + i)), static_cast<std::size_t>(d) * sizeof(float));
        parallel_for(stream, (v + kLogitTile - 1) / kLogitTile, [&](std::int64_t tile) {
            const std::int64_t begin = tile * kLogitTile, columns = std::min(kLogitTile, v - begin);
            multiply(logits + begin, stride, {inputs, d}, {head.weight_f32 + begin * d, d, true}, kTileRows, columns, d, 1.0f, 0.0f);
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
            multiply(gradients + begin, d, {logits, stride}, {head.weight_f32 + begin, d}, kTileRows, columns, v, 1.0f, 0.0f);
            for (std::int64_t i = 0; i < count; ++i)
                std::memcpy(d_x.row<float>(row_at(first + i)) + begin, gradients + i * d + begin, static_cast<std::size_t>(columns) * sizeof(float));
        });
    }
};

}  // namespace

void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const PreparedLinear::Impl& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale) {
    if (!d_x.empty()) zero_rows(stream, d_x);
    if (rows.empty()) return;
    const Loss loss{stream, head, nll, correct, d_x, x, rows, labels, grad_scale};
    if (head.dtype == DType::f32) LossF32{loss}.run();
    else LossBf16{loss}.run();
}

std::size_t linear_cross_entropy_scratch(DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary) {
    const std::int64_t stride = round_up(vocabulary, kDepthStep);
    const std::int64_t rows = dtype == DType::f32 ? kTileRows : rows_of_block(tokens, stride);
    const std::int64_t width = round_up(hidden_size, kDepthStep);
    const std::size_t transposed = dtype == DType::f32 ? 0 : ScratchCuts::bytes<bf16>(width * kDepthChunk);
    return ScratchCuts::bytes<float>(rows * stride) + 2 * ScratchCuts::bytes<float>(rows * width) + transposed;
}

}  // namespace temper::cpu
