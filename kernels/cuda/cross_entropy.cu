// Linear + cross-entropy, a chunk of labelled rows at a time: their logits in float32, which become their own gradients in place, then the product
// back. A row's bits do not depend on its chunk.
#include <algorithm>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/linear_rows.h"
#include "kernels/cuda/loss_rows.h"
#include "kernels/cuda/move_rows.h"

namespace temper::cuda {
namespace {

constexpr std::int64_t kLogitBytes = std::int64_t{512} << 20, kChunkStep = 256;

std::int64_t chunk_rows(std::int64_t vocabulary) {
    return std::max(kChunkStep, kLogitBytes / (vocabulary * size_of(DType::f32)) / kChunkStep * kChunkStep);
}

struct LossWork {
    View matrix;  // of a head that is quantised
    View logits;  // (chunk, V) f32
    View x;       // (chunk, D)
    View d_x;     // (chunk, D)

    LossWork(Cuts& cuts, DType dtype, std::int64_t labels, std::int64_t width, std::int64_t vocabulary, bool is_quantized) {
        if (is_quantized) matrix = take_matrix(cuts, dtype, vocabulary, width, 0);
        const std::int64_t rows = std::min(labels, chunk_rows(vocabulary));
        logits = cuts.take(DType::f32, rows, vocabulary);
        x = cuts.take(dtype, rows, round_up(width, kRowPack));
        d_x = cuts.take(dtype, rows, width);
    }
};

struct Loss {
    Stream& stream;
    const BorderedLinear& head;
    View nll, correct, d_x, x;
    Span<const std::int32_t> rows, labels;
    float grad_scale, softcap;
    LossWork work;
    Bordered matrix;

    void chunk(std::int64_t first, std::int64_t count) const {
        const std::size_t begin = static_cast<std::size_t>(first), size = static_cast<std::size_t>(count);
        const bool together = rows[begin + size - 1] - rows[begin] + 1 == count;  // rows side by side need not be moved
        const View places = together ? View() : upload_rows(stream, {rows.data() + begin, size});
        const View logits = work.logits.rows(0, count);
        Product product;
        product.d = logits;
        product.a = input(rows[begin], count, places);
        product.b = matrix.forward();
        product.b_transposed = true;
        product.bias = head.bias;
        multiply(stream, product);
        View gradient;
        if (!d_x.empty()) gradient = gradient_in(logits);
        losses(stream, nll.rows(first, count), correct.rows(first, count), gradient, logits, upload_rows(stream, {labels.data() + begin, size}),
               grad_scale, softcap);
        if (!d_x.empty()) project_back(rows[begin], gradient, places);
    }

  private:
    View input(std::int64_t first_row, std::int64_t count, View places) const {
        if (places.empty() && is_packed(x)) return x.rows(first_row, count);
        const View gathered = work.x.rows(0, count);
        if (places.empty()) move_rows(stream, gathered, x.rows(first_row, count));
        else gather_rows(stream, gathered, x, places);
        return gathered;
    }

    // (rows, V in whole packs) of the head's dtype in the memory of the logits.
    View gradient_in(View logits) const {
        View gradient(logits.data, head.dtype, {logits.size(0), head.out_padded}, Device::cuda);
        gradient.stride[0] = logits.row_stride() * size_of(DType::f32) / size_of(head.dtype);
        return gradient;
    }

    void project_back(std::int64_t first_row, View gradient, View places) const {
        const std::int64_t count = gradient.size(0);
        const bool direct = places.empty() && is_aligned(d_x);
        Product product;
        product.d = direct ? d_x.rows(first_row, count) : work.d_x.rows(0, count);
        product.a = gradient;
        product.b = matrix.backward_rows();
        multiply(stream, product);
        if (direct) return;
        if (places.empty()) move_rows(stream, d_x.rows(first_row, count), product.d);
        else scatter_rows(stream, d_x, product.d, places);
    }
};

}  // namespace

void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const BorderedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap) {
    const std::int64_t m = static_cast<std::int64_t>(rows.size());
    if (!d_x.empty() && m < d_x.size(0)) zero_rows(stream, d_x);
    if (m == 0) return;
    const LossWork work = take_scratch<LossWork>(stream, head.dtype, m, head.in, head.out, head.is_quantized());
    const Loss loss{stream, head, nll, correct, d_x, x, rows, labels, grad_scale, softcap, work, head.expanded(stream, work.matrix)};
    for_pieces({0, m}, chunk_rows(head.out), [&](std::int64_t first, std::int64_t count) { loss.chunk(first, count); });
}

std::size_t linear_cross_entropy_scratch(DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int /*threads*/) {
    return count_scratch<LossWork>(dtype, tokens, hidden_size, vocabulary, false);
}

// A head that is quantised is expanded whole.
std::size_t quantized_head_scratch(DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int /*threads*/) {
    Cuts count;
    take_matrix(count, dtype, vocabulary, hidden_size, 0);
    return count.bytes();
}

}  // namespace temper::cuda
