// The gradient of a head that is trained whole, a tile of the vocabulary at a time: logits of all labelled rows, their probabilities, and the
// tile's rows of d_weight, each one sum over the labelled rows. Logits of a bfloat16 head come from bfloat16 (its products are exact), what follows is
// float32.
#include <algorithm>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/linear_rows.h"
#include "kernels/cuda/loss_rows.h"
#include "kernels/cuda/move_rows.h"

namespace temper::cuda {
namespace {

constexpr std::int64_t kTile = 2048;  // rows of the weight that are made at a time, whatever the number of labels: products keep their shape

struct WeightWork {
    View matrix;    // of a head that is quantised
    View x;         // (M, D)
    View wide_x;    // (M, D) f32
    View totals;    // (M) f32
    View logits;    // (M, tile) f32
    View d_weight;  // (tile, D) f32, where the caller's is not aligned

    WeightWork(Cuts& cuts, DType dtype, std::int64_t labels, std::int64_t width, std::int64_t vocabulary, bool is_aligned, bool is_quantized) {
        if (is_quantized) matrix = take_matrix(cuts, dtype, vocabulary, width, 0);
        x = cuts.take(dtype, labels, round_up(width, kRowPack));
        wide_x = dtype == DType::f32 ? x.columns(0, width) : cuts.take(DType::f32, labels, width);
        totals = cuts.take(DType::f32, labels);
        logits = cuts.take(DType::f32, labels, kTile);
        if (!is_aligned) d_weight = cuts.take(DType::f32, kTile, width);
    }
};

}  // namespace

void linear_cross_entropy_weight(Stream& stream, View d_weight, View x, const BorderedLinear& head, View nll, Span<const std::int32_t> rows,
                                 Span<const std::int32_t> labels, float grad_scale, float softcap) {
    const std::int64_t m = static_cast<std::int64_t>(rows.size());
    if (m == 0) return zero_rows(stream, d_weight);
    const WeightWork work = take_scratch<WeightWork>(stream, head.dtype, m, head.in, head.out, is_aligned(d_weight), head.is_quantized());
    const Bordered matrix = head.expanded(stream, work.matrix);
    const View places = upload_rows(stream, rows), wanted = upload_rows(stream, labels);
    gather_rows(stream, work.x, x, places);
    if (head.dtype != DType::f32) gather_rows(stream, work.wide_x, x, places);
    log_totals(stream, work.totals, work.x, matrix.weight(), nll, wanted, softcap);
    for_pieces({0, head.out}, kTile, [&](std::int64_t first, std::int64_t count) {
        Product product;
        product.d = work.logits.columns(0, count);
        product.a = work.x;
        product.b = matrix.block(first, count, 0, head.in_padded);
        product.b_transposed = true;
        multiply(stream, product);
        probabilities(stream, product.d, work.totals, nll, wanted, first, softcap);
        const View target = d_weight.rows(first, count);
        Product back;
        back.d = work.d_weight.empty() ? target : work.d_weight.rows(0, count);
        back.a = product.d;
        back.a_transposed = true;
        back.b = work.wide_x;
        back.alpha = grad_scale;
        back.chosen_depth = 0;  // the depth is a number of labels
        multiply(stream, back);
        if (!work.d_weight.empty()) move_rows(stream, target, back.d);
    });
}

std::size_t linear_cross_entropy_weight_scratch(std::int64_t labels, std::int64_t width, int /*threads*/) {
    return count_scratch<WeightWork>(DType::bf16, std::max<std::int64_t>(1, labels), width, 0, false, false);
}

}  // namespace temper::cuda
