#include "kernels/rehearsal.h"

#include <algorithm>

#include "kernels/cuda/runtime.h"

namespace temper::ops {
namespace {

Arena zeros(Stream& stream, std::size_t bytes) {
    Arena arena(bytes, memory_of(stream.device()));
    stream.cuda().fill_zero(arena.data(), bytes);
    return arena;
}

// Entries of a row of adapter gradients.
std::int64_t row_size(const PreparedLinear& weight) {
    std::int64_t size = 1;
    for (const AdapterSlot& slot : weight.adapters())
        size = std::max({size, slot.offset_a + slot.rank * weight.in(), slot.offset_b + slot.out_size * slot.rank, slot.offset_m + slot.out_size});
    return size;
}

// A row of a linear, and of its gradients.
struct LinearRow {
    View x, y, s, residual, d_x, d_adapter, places;

    LinearRow(Arena& arena, const PreparedLinear& w) {
        x = arena.take(w.dtype(), {1, w.in()});
        y = arena.take(w.dtype(), {1, w.out()});
        residual = arena.take(w.dtype(), {1, w.out()});
        d_x = arena.take(w.dtype(), {1, w.in()});
        places = arena.take(DType::i32, {1});
        if (w.rank_total() == 0) return;
        s = arena.take(w.dtype(), {1, w.rank_total()});
        d_adapter = arena.take(DType::f32, {1, row_size(w)});
    }
};

// A row of the final linear.
struct HeadRow {
    View x, d_x, logits, nll, correct, d_weight;

    HeadRow(Arena& arena, const PreparedLinear& w, bool weight_gradient) {
        x = arena.take(w.dtype(), {1, w.in()});
        d_x = arena.take(w.dtype(), {1, w.in()});
        logits = arena.take(DType::f32, {1, w.out()});
        nll = arena.take(DType::f32, {1});
        correct = arena.take(DType::i32, {1});
        if (weight_gradient) d_weight = arena.take(DType::f32, {w.out(), w.in()});
    }
};

}  // namespace

void rehearse_linear(Stream& stream, const PreparedLinear& weight, LinearUse use) {
    Arena count;
    LinearRow(count, weight);
    Arena memory = zeros(stream, count.used());
    const LinearRow row(memory, weight);
    Dropout dropout;
    dropout.probability = 0.5f;
    dropout.rows = dropout.tokens = row.places;
    const Epilogue epilogue = use.residual ? Epilogue::add_residual(row.residual) : Epilogue::none();
    const Leaf leaf{0, 1};
    const Span<const Leaf> leaves(&leaf, 1);
    // A row with the adapters, and one that sees the frozen model alone.
    linear(stream, row.y, row.x, weight, row.s, epilogue);
    linear(stream, row.y, row.x, weight, View(), epilogue, {}, 0);
    if (use.dropout) linear(stream, row.y, row.x, weight, row.s, epilogue, dropout);
    if (use.backward) {
        linear_backward(stream, row.d_x, row.d_adapter, row.y, weight, row.x, row.s, leaves);
        if (use.dropout) linear_backward(stream, row.d_x, row.d_adapter, row.y, weight, row.x, row.s, leaves, dropout);
    }
    stream.synchronize();  // before the memory goes
}

void rehearse_head(Stream& stream, const PreparedLinear& head, HeadUse use) {
    Arena count;
    HeadRow(count, head, use.weight_gradient);
    Arena memory = zeros(stream, count.used());
    const HeadRow row(memory, head, use.weight_gradient);
    const std::int32_t first = 0;
    const Span<const std::int32_t> one(&first, 1);
    if (use.logits) linear(stream, row.logits, row.x, head, View());
    if (use.loss) linear_cross_entropy(stream, row.nll, row.correct, View(), row.x, head, one, one, 1.0f);
    if (use.backward) linear_cross_entropy(stream, row.nll, row.correct, row.d_x, row.x, head, one, one, 1.0f);
    if (use.weight_gradient) linear_cross_entropy_weight(stream, row.d_weight, row.x, head, row.nll, one, one, 1.0f);
    stream.synchronize();
}

}  // namespace temper::ops
