// Gradients of the linear layer: d_s = scale * d_y B and [d_y | d_s] [W ; A] in pieces of rows, then the adapters' sums leaf by leaf (leaf_sum.h).
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/leaf_sum.h"
#include "kernels/cuda/linear_backward.h"
#include "kernels/cuda/linear_variants.h"
#include "kernels/cuda/move_rows.h"

namespace temper::cuda {
namespace {

class Backward {
  public:
    Backward(Stream& stream, View d_x, View d_adapter, View d_y, const BorderedLinear& w, View x, View s, Span<const Leaf> leaves,
             const Dropout& dropout)
        : stream_(stream),
          d_x_(d_x),
          d_adapter_(d_adapter),
          d_y_(d_y),
          x_(x),
          s_(s),
          w_(w),
          leaves_(leaves),
          dropout_(dropout),
          shape_(shape()),
          work_(take_scratch<BackwardWork>(stream, shape_)),
          matrix_(w.expanded(stream, work_.matrix)) {}

    void run() {
        if (w_.dora) scale_rows_by_columns(stream_, work_.d_y.columns(0, w_.out_padded), d_y_, w_.column_scale);
        else if (!shape_.y_is_packed) move_rows(stream_, work_.d_y, d_y_);
        if (!work_.plain_d_y.empty()) move_rows(stream_, work_.plain_d_y, d_y_);
        for_pieces({0, shape_.rows}, BackwardWork::piece(shape_), [&](std::int64_t first, std::int64_t count) { input_gradient(first, count); });
        if (shape_.adapted) adapter_gradients();
    }

  private:
    BackwardShape shape() const {
        BackwardShape b{w_.dtype, d_y_.size(0), w_.in, w_.out, w_.border};
        for (const AdapterSlot& slot : w_.adapters) b.slot_out = std::max(b.slot_out, slot.out_size);
        b.wants_d_x = !d_x_.empty();
        b.adapted = !w_.adapters.empty();
        b.y_is_packed = is_packed(d_y_);
        b.y_has_room = has_room(d_y_, w_.border);
        b.d_x_is_aligned = is_aligned(d_x_);
        b.dora = w_.dora;
        b.drops = dropout_.active();
        b.is_quantized = w_.is_quantized();
        if (!b.adapted) return b;
        b.x_is_packed = is_packed(x_);
        b.s_is_packed = is_aligned(s_) && s_.spare >= w_.border - w_.rank_total;
        return b;
    }

    // All rows of d_y (with DoRA g d_y) in whole packs.
    View packed_d_y() const {
        if (!w_.dora && shape_.y_is_packed) return d_y_;
        return work_.d_y.columns(0, w_.out_padded);
    }

    // Rows of d_y with their border behind them.
    View rows_with_border(std::int64_t first, std::int64_t count) {
        if (w_.dora || !shape_.y_is_packed) return work_.d_y.rows(first, count);
        if (shape_.y_has_room) return widened(d_y_.rows(first, count), w_.border);
        const View rows = work_.d_y.rows(0, count);
        move_rows(stream_, rows, d_y_.rows(first, count));
        return rows;
    }

    void input_gradient(std::int64_t first, std::int64_t count) {
        if (!shape_.wants_d_x) return fill_d_s(View(), packed_d_y().rows(first, count), first);
        const View rows = rows_with_border(first, count);
        if (shape_.adapted) fill_d_s(rows.columns(w_.out_padded, w_.border), rows.columns(0, w_.out_padded), first);
        if (shape_.drops) return masked_input_gradient(first, count, rows);
        const View target = shape_.d_x_is_aligned ? d_x_.rows(first, count) : work_.d_x.rows(0, count);
        Product product;
        product.d = target;
        product.a = rows;
        product.b = matrix_.backward_rows();
        product.chosen_depth = w_.out_padded;
        multiply(stream_, product);
        if (!shape_.d_x_is_aligned) move_rows(stream_, d_x_.rows(first, count), target);
    }

    // d_s = scale * d_y B, for the adapters and into the border.
    void fill_d_s(View border, View d_y, std::int64_t first) {
        Product product;
        product.d = work_.products.rows(0, d_y.size(0));
        product.a = d_y;
        product.b = matrix_.b();
        multiply(stream_, product);
        spread_s(stream_, border, work_.d_s.rows(first, d_y.size(0)), work_.products, w_.scales, d_y.size(0), {0, w_.border});
    }

    // d_x = d_y W + sum over slots of mask * (d_s A + (g - 1) d_y W), d_y as it came.
    void masked_input_gradient(std::int64_t first, std::int64_t count, View rows) {
        const View wide = work_.wide.rows(0, count), plain = plain_d_y(first, count, rows);
        Product product;
        product.d = wide;
        product.a = plain;
        product.b = matrix_.block(0, w_.out_padded, 0, w_.in);
        product.chosen_depth = w_.out_padded;
        multiply(stream_, product);
        for (std::size_t i = 0; i < w_.adapters.size(); ++i) {
            slot_gradient(i, count, plain);
            add_masked(stream_, wide, work_.part.rows(0, count), dropout_, first, w_.adapters[i].module);
        }
        finish_rows(stream_, d_x_.rows(first, count), wide, View(), View(), View());
    }

    View plain_d_y(std::int64_t first, std::int64_t count, View rows) const {
        if (!w_.dora) return rows.columns(0, w_.out_padded);
        return (shape_.y_is_packed ? d_y_ : work_.plain_d_y).rows(first, count);
    }

    // part = d_s A + (g - 1) d_y W of one slot; the products that d_s was rounded from are still there.
    void slot_gradient(std::size_t i, std::int64_t count, View plain) {
        const AdapterSlot& slot = w_.adapters[i];
        const View only = work_.only.rows(0, count), part = work_.part.rows(0, count);
        zero_rows(stream_, only);
        spread_s(stream_, only, View(), work_.products, w_.scales, count, {w_.rank_begin[i], w_.rank_begin[i] + slot.rank});
        Product product;
        product.d = part;
        product.a = only;
        product.b = matrix_.block(w_.out_padded, w_.border, 0, w_.in);
        multiply(stream_, product);
        if (!w_.dora || slot.offset_m < 0) return;
        const View change = work_.change.rows(0, count).columns(0, slot.out_size);
        change_of_magnitude(stream_, change, plain.columns(slot.out_begin, slot.out_size), w_.column_scale.rows(slot.out_begin, slot.out_size));
        product.a = change;
        product.b = matrix_.block(slot.out_begin, slot.out_size, 0, w_.in);
        product.c = part;
        multiply(stream_, product);
    }

    void adapter_gradients() {
        LeafOperands operands{d_adapter_, work_.d_s, x_, s_, packed_d_y()};
        if (!work_.s.empty()) {
            move_rows(stream_, work_.s, s_);
            operands.s = work_.s;
        }
        sum_b(stream_, w_, operands, leaves_);
        if (dropout_.active()) {
            for (std::size_t i = 0; i < w_.adapters.size(); ++i) {
                mask_rows(stream_, inputs(), x_, dropout_, 0, w_.adapters[i].module);
                sums_of_inputs(operands, i, i + 1);
            }
            return;
        }
        if (!work_.x.empty()) move_rows(stream_, inputs(), x_);
        sums_of_inputs(operands, 0, w_.adapters.size());
    }

    View inputs() const { return work_.x.columns(0, w_.in_padded); }

    // What reads x (or x under the masks of a slot).
    void sums_of_inputs(LeafOperands& operands, std::size_t first, std::size_t end) {
        if (!work_.x.empty()) operands.x = inputs();
        sum_a(stream_, w_, operands, leaves_, first, end);
        if (!w_.dora) return;
        move_rows(stream_, work_.x.columns(w_.in_padded, w_.border), operands.s.columns(0, w_.rank_total));
        for (std::size_t i = first; i < end; ++i)
            if (w_.adapters[i].offset_m >= 0) magnitude_gradient(w_.adapters[i]);
    }

    // d_m: per leaf, the sum over its tokens of d_y (x W^T + s B^T) / norm, d_y as it came.
    void magnitude_gradient(const AdapterSlot& slot) {
        for_pieces({0, slot.out_size}, kMagnitudeColumns, [&](std::int64_t first, std::int64_t count) {
            const std::int64_t column = slot.out_begin + first;
            Product product;
            product.d = work_.magnitudes.columns(0, count);
            product.a = work_.x;
            product.b = matrix_.block(column, count, 0, w_.in_padded + w_.border);
            product.b_transposed = true;
            multiply(stream_, product);
            sum_magnitudes(stream_, d_adapter_, slot.offset_m + first, d_y_.columns(column, count), product.d, w_.norm.rows(column, count), leaves_);
        });
    }

    Stream& stream_;
    const View d_x_, d_adapter_, d_y_, x_, s_;
    const BorderedLinear& w_;
    const Span<const Leaf> leaves_;
    const Dropout& dropout_;
    const BackwardShape shape_;
    const BackwardWork work_;
    const Bordered matrix_;
};

}  // namespace

void linear_backward(Stream& stream, View d_x, View d_adapter, View d_y, const BorderedLinear& weight, View x, View s, Span<const Leaf> leaves,
                     const Dropout& dropout) {
    if (d_x.empty() && weight.adapters.empty()) return;
    Backward(stream, d_x, d_adapter, d_y, weight, x, s, leaves, dropout).run();
}

std::size_t linear_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int /*threads*/,
                                    ops::LinearVariant variant) {
    BackwardShape b{dtype, tokens, in, out, round_up(rank_total, kRowPack), out};
    b.wants_d_x = true;
    b.adapted = rank_total > 0;
    b.y_is_packed = out % kRowPack == 0;
    b.x_is_packed = in % kRowPack == 0;
    b.s_is_packed = b.d_x_is_aligned = true;
    b.dora = variant.dora;
    b.drops = variant.dropout;
    b.is_quantized = variant.quantized;
    LinearShape l{dtype, tokens, in, out, b.border, out};
    l.is_wide = true;  // for a bias that bfloat16 does not hold
    l.dora = variant.dora;
    l.drops = variant.dropout;
    l.is_quantized = variant.quantized;
    return std::max(count_scratch<BackwardWork>(b), count_scratch<ForwardWork>(l));
}

}  // namespace temper::cuda
