// The linear layer: [x | s] [W | B]^T in pieces of rows, s in the room behind the rows of x where there is some, else beside a copy of them.
// How rows are cut changes no bit. A weight with adapters always multiplies through its border: rows without adapters have s = 0 there.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/linear_forward.h"
#include "kernels/cuda/move_rows.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

// wide += scale * adapted - plain, the columns of one slot: g (x' W^T + s B^T) - x' W^T.
__global__ void add_masked_dora_kernel(Global<float> wide, std::int64_t wide_stride, Global<const float> adapted, Global<const float> plain,
                                       std::int64_t stride, Global<const float> scale, std::int64_t columns) {
    const std::int64_t row = blockIdx.x;
    for (std::int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
        const float more = scale[c] * adapted[row * stride + c] - plain[row * stride + c];
        wide[row * wide_stride + c] += more;
    }
}

class Forward {
  public:
    Forward(Stream& stream, View y, View x, const BorderedLinear& w, View s, const Epilogue& epilogue, const Dropout& dropout, std::int64_t adapted)
        : stream_(stream),
          y_(y),
          x_(x),
          s_(s),
          w_(w),
          residual_(epilogue.kind == Epilogue::Kind::residual ? epilogue.residual : View()),
          dropout_(dropout),
          adapted_(adapted),
          varied_(adapted > 0 && (w.dora || dropout.active())),
          has_room_(has_room(x, w.border)),
          wide_(w.has_bias && y.dtype == DType::bf16 && !w.bias_fits),
          work_(take_scratch<ForwardWork>(stream, shape())),
          matrix_(w.expanded(stream, work_.matrix)) {}

    void run() {
        const std::int64_t n = x_.size(0), varied = varied_ ? adapted_ : 0;
        for_pieces({0, varied}, kVariantRows, [&](std::int64_t first, std::int64_t count) { varied_rows(first, count); });
        const std::int64_t step = wide_ ? kVariantRows : has_room_ && !varied_ ? n : kRowsAtOnce;
        for_pieces({varied, n}, std::max<std::int64_t>(1, step), [&](std::int64_t first, std::int64_t count) { plain_rows(first, count); });
    }

  private:
    LinearShape shape() const {
        LinearShape l{w_.dtype, x_.size(0), w_.in, w_.out, w_.border};
        for (const AdapterSlot& slot : w_.adapters) l.slot_out = std::max(l.slot_out, slot.out_size);
        l.has_room = has_room_;
        l.is_staged = !is_aligned(y_);
        l.is_wide = wide_;
        l.dora = varied_ && w_.dora;
        l.drops = varied_ && dropout_.active();
        l.is_quantized = w_.is_quantized();
        return l;
    }

    // Rows of x with their border behind them, which is not filled yet where x has room for it.
    View input(std::int64_t first, std::int64_t count) {
        const View x = x_.rows(first, count);
        if (has_room_) return widened(x, w_.border);
        const View input = work_.input.rows(0, count);
        move_rows(stream_, input, x);
        return input;
    }

    // s = scale * x A^T into the border behind x, and to the caller; rows behind the adapted ones take 0.
    void fill_s(View input, View x, std::int64_t first, Range taken) {
        const std::int64_t count = std::max<std::int64_t>(0, std::min(adapted_ - first, input.size(0)));
        Product product;
        product.d = work_.products.rows(0, count);
        product.a = x.rows(0, count).columns(0, w_.in_padded);
        product.b = matrix_.a();
        product.b_transposed = true;
        multiply(stream_, product);
        spread_s(stream_, input.columns(w_.in_padded, w_.border), s_.empty() || count == 0 ? View() : s_.rows(first, count), work_.products,
                 w_.scales, count, taken);
    }

    void plain_rows(std::int64_t first, std::int64_t count) {
        const View input = this->input(first, count);
        if (w_.border > 0) fill_s(input, input, varied_ ? adapted_ : first, {0, w_.border});
        project(first, input);
    }

    void varied_rows(std::int64_t first, std::int64_t count) {
        const View input = this->input(first, count);
        if (!dropout_.active()) {
            fill_s(input, input, first, {0, w_.border});
            return project_scaled(first, input);
        }
        if (w_.dora) return project_masked_dora(first, input);
        for (std::size_t i = 0; i < w_.adapters.size(); ++i) fill_s(input, masked(first, count, i), first, border_of(i));
        project(first, input);
    }

    // The columns of the border that a slot fills: the last one also those that belong to none.
    Range border_of(std::size_t slot) const { return {w_.rank_begin[slot], slot + 1 < w_.adapters.size() ? w_.rank_begin[slot + 1] : w_.border}; }

    View masked(std::int64_t first, std::int64_t count, std::size_t slot) {
        const View masked = work_.masked.rows(0, count);
        mask_rows(stream_, masked, x_.rows(first, count), dropout_, first, w_.adapters[slot].module);
        return masked;
    }

    Product product_of(View d, View input) const {
        Product product;
        product.d = d;
        product.a = input;
        product.b = matrix_.forward();
        product.b_transposed = true;
        product.chosen_depth = w_.in_padded;
        return product;
    }

    // y = input [W | B]^T + bias + residual.
    void project(std::int64_t first, View input) {
        if (wide_) return project_wide(first, input, View());
        const std::int64_t count = input.size(0);
        const View y = y_.rows(first, count), residual = residual_.empty() ? View() : residual_.rows(first, count);
        Product product = product_of(is_aligned(y_) ? y : work_.staged.rows(0, count), input);
        if (w_.has_bias) product.bias = y.dtype == DType::f32 ? w_.bias : w_.rounded_bias;
        if (!residual.empty()) {
            product.c = residual;
            if (!is_aligned(residual)) {
                move_rows(stream_, product.d, residual);
                product.c = product.d;
            }
        }
        multiply(stream_, product);
        if (product.d.data != y.data) move_rows(stream_, y, product.d);
    }

    void project_wide(std::int64_t first, View input, View scale) {
        const View wide = work_.wide.rows(0, input.size(0));
        multiply(stream_, product_of(wide, input));
        finish(first, wide, scale);
    }

    void project_scaled(std::int64_t first, View input) { project_wide(first, input, w_.column_scale); }

    void finish(std::int64_t first, View wide, View scale) {
        const std::int64_t count = wide.size(0);
        finish_rows(stream_, y_.rows(first, count), wide, scale, w_.bias, residual_.empty() ? View() : residual_.rows(first, count));
    }

    // DoRA under dropout: y = x W^T + sum over slots of g (x' W^T + s B^T) - x' W^T.
    void project_masked_dora(std::int64_t first, View input) {
        const std::int64_t count = input.size(0);
        const View wide = work_.wide.rows(0, count);
        Product base = product_of(wide, input.columns(0, w_.in_padded));
        base.b = matrix_.block(0, w_.out, 0, w_.in_padded);
        multiply(stream_, base);
        for (std::size_t i = 0; i < w_.adapters.size(); ++i) {
            const AdapterSlot& slot = w_.adapters[i];
            const View masked = this->masked(first, count, i);
            fill_s(masked, masked, first, {w_.rank_begin[i], w_.rank_begin[i] + slot.rank});
            const View plain = work_.plain.rows(0, count).columns(0, slot.out_size), adapted = work_.adapted.rows(0, count).columns(0, slot.out_size);
            Product product = product_of(plain, masked.columns(0, w_.in_padded));
            product.b = matrix_.block(slot.out_begin, slot.out_size, 0, w_.in_padded);
            multiply(stream_, product);
            product = product_of(adapted, masked);
            product.b = matrix_.block(slot.out_begin, slot.out_size, 0, w_.in_padded + w_.border);
            multiply(stream_, product);
            launch(stream_, add_masked_dora_kernel, {count}, kThreads, 0, global<float>(wide.columns(slot.out_begin, slot.out_size)),
                   wide.row_stride(), global<const float>(adapted), global<const float>(plain), plain.row_stride(),
                   global<const float>(w_.column_scale.rows(slot.out_begin, slot.out_size)), slot.out_size);
        }
        finish(first, wide, View());
    }

    Stream& stream_;
    const View y_, x_, s_;
    const BorderedLinear& w_;
    const View residual_;
    const Dropout& dropout_;
    const std::int64_t adapted_;
    const bool varied_, has_room_, wide_;
    const ForwardWork work_;
    const Bordered matrix_;
};

}  // namespace

void finish_epilogue(Stream& stream, const View& y, const Epilogue& e) {
    switch (e.kind) {
        case Epilogue::Kind::none: return;
        case Epilogue::Kind::rope: {
            const View heads = y.columns(0, e.rotated_heads * e.head_size).reshape({y.size(0), e.rotated_heads, e.head_size});
            return rope(stream, heads, e.positions, e.rope_table, false);
        }
        case Epilogue::Kind::swiglu: return swiglu(stream, e.activated, y);
        case Epilogue::Kind::geglu: return geglu(stream, e.activated, y);
        case Epilogue::Kind::pointwise: return pointwise(stream, y, e.function);
        case Epilogue::Kind::residual:
            if (e.normed.empty()) return;
            if (!e.norm_bias.empty()) return layer_norm(stream, e.normed, y, e.norm_weight, e.norm_bias, e.norm_epsilon, View());
            return rms_norm(stream, e.normed, y, e.norm_weight, e.norm_epsilon, View());
    }
}

void linear(Stream& stream, View y, View x, const BorderedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
            std::int64_t adapted) {
    if (x.size(0) == 0) return;
    Forward(stream, y, x, weight, s, epilogue, dropout, adapted).run();
    finish_epilogue(stream, y, epilogue);
}

}  // namespace temper::cuda
