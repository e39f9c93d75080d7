// Forward attention of one chunk of queries: blocks of keys outside, the queries of the group's heads inside, softmax online in float.
//                                                                                              [Dao et al. 2022; Milakov & Gimelshein 2018]
#pragma once
#include <cmath>

#include "kernels/cpu/attention.h"
#include "kernels/cpu/attention_product.h"

namespace temper::cpu {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kNothingYet = -1e30f;  // finite: a row whose keys of a block are all hidden by the window keeps it, and its sums stay zero

// Rows of the chunk are (position, head of the group), heads fastest, so that a tile of rows sees nearly the same keys.
template <class Operand> struct ForwardScratch {
    using Number = typename Operand::Number;
    std::int64_t rows, inner, lanes_d;  // inner: d up to a whole depth; lanes_d: d up to a whole register
    Number *queries, *keys, *values, *probabilities;
    float *sums, *scores, *largest, *rescale, *zeros;
    float* total;  // (rows, width): one sum a lane
    std::size_t bytes;

    ForwardScratch(void* memory, std::int64_t row_count, std::int64_t d)
        : rows(row_count), inner(padded_inner<Operand>(d)), lanes_d(padded_columns(d)) {
        const std::int64_t all_rows = round_up(rows, Operand::row_unit), tile_rows = Operand::rows;
        Cutter cut(memory);
        queries = cut.take<Number>(all_rows * inner);
        keys = cut.take<Number>(inner * kBlock);
        values = cut.take<Number>(kBlock * lanes_d);
        probabilities = cut.take<Number>(tile_rows * kBlock);
        sums = cut.take<float>(all_rows * lanes_d);
        scores = cut.take<float>(tile_rows * kBlock);
        largest = cut.take<float>(rows);
        rescale = cut.take<float>(tile_rows + Vec::width);
        total = cut.take<float>(rows * Vec::width);
        zeros = cut.take<float>(d);
        bytes = cut.used();
    }
};

// Row of the key with logical index j.
inline std::int64_t key_row(const AttentionSpan& span, std::int64_t j) {
    return j < span.prefix_length ? span.prefix_row + j : span.key_row + j - span.prefix_length;
}

// Rows of the keys [first, first + count), for a base pointer at the head; behind `end` they are zeros.
template <class T>
void key_pointers(const T** rows, const T* base, std::int64_t stride, const AttentionSpan& span, std::int64_t first, std::int64_t count,
                  std::int64_t end, const T* zeros) {
    for (std::int64_t j = 0; j < count; ++j) rows[j] = first + j < end ? base + key_row(span, first + j) * stride : zeros;
}

// First key that the query at logical index `query` sees.
inline std::int64_t first_seen(const AttentionShape& shape, std::int64_t query) {
    return shape.window > 0 && query >= shape.window ? query - shape.window + 1 : 0;
}

// Capped logits of n products q k^T, in place.
inline void cap_scores(float* scores, std::int64_t n, const AttentionShape& shape) {
    const Vec inverse = Vec::broadcast(shape.scale / shape.softcap), cap = Vec::broadcast(shape.softcap);
    for (std::int64_t i = 0; i < n; i += Vec::width) (cap * tanh(Vec::load(scores + i) * inverse)).store(scores + i);
}

// Logits of a query's products with n keys, the first `distance` behind it, in place: with what its head's table has for each distance.
inline void bias_scores(float* scores, std::int64_t n, std::int64_t distance, const float* table, const AttentionShape& shape) {
    const std::int64_t radius = shape.bias_radius;
    const Vec scale = Vec::broadcast(shape.scale);
    for (std::int64_t i = 0; i < n; i += Vec::width, distance += Vec::width) {
        alignas(64) float clamped[Vec::width];
        const bool inside = distance >= -radius && distance + Vec::width - 1 <= radius;
        for (std::int64_t lane = 0; !inside && lane < Vec::width; ++lane) {
            const std::int64_t at = distance + lane;
            clamped[lane] = table[radius + (at < -radius ? -radius : at > radius ? radius : at)];
        }
        fma(Vec::load(scores + i), scale, Vec::load(inside ? table + radius + distance : clamped)).store(scores + i);
    }
}

// Keys that a row sees beyond those that row 0 of a chunk does: one more with every position, or as many.
inline std::int64_t later_keys(const AttentionShape& shape, std::int64_t row) { return shape.causal ? row / shape.group : 0; }

// Scores of a tile of rows against one block to probabilities. Row r sees the first visible + later_keys(row + r) keys of the block, but those
// that the window hides at their beginning.
// Each row's largest logit, sum and the factor for what was summed before are brought up to date.
template <class Operand>
void softmax_tile(const ForwardScratch<Operand>& s, const AttentionShape& shape, std::int64_t visible, std::int64_t row, std::int64_t rows,
                  std::int64_t columns) {
    const Vec hidden = Vec::broadcast(-kInfinity);
    const float factor = shape.softcap > 0.0f || shape.bias != nullptr ? 1.0f : shape.scale;
    for (std::int64_t r = 0; r < rows; ++r) {
        float* scores = s.scores + r * kBlock;
        const std::int64_t sees = visible + later_keys(shape, row + r), misses = shape.window > 0 ? sees - shape.window : 0;
        if (shape.softcap > 0.0f) cap_scores(scores, columns, shape);
        Vec top = hidden;
        for (std::int64_t i = 0; i < columns; i += Vec::width) {
            Vec x = Vec::load(scores + i);
            if (sees < i + Vec::width) {
                x = Vec::blend_below(sees - i, x, hidden);
                x.store(scores + i);
            }
            if (misses > i) {
                x = Vec::blend_below(misses - i, hidden, x);
                x.store(scores + i);
            }
            top = max(top, x);
        }
        const float largest = top.largest() * factor, before = s.largest[row + r];
        s.largest[row + r] = largest > before ? largest : before;
        s.rescale[r] = before - s.largest[row + r];
    }
    for (std::int64_t r = 0; r < rows; r += Vec::width) exp_not_above(Vec::load(s.rescale + r)).store(s.rescale + r);
    const Vec scale = Vec::broadcast(factor);
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* scores = s.scores + r * kBlock;
        typename Operand::Number* p = s.probabilities + r * kBlock;
        float* total = s.total + (row + r) * Vec::width;
        const Vec shift = Vec::broadcast(-s.largest[row + r]);
        Vec sum = Vec::zero();
        for (std::int64_t i = 0; i < columns; i += Vec::width) {
            const Vec e = exp_not_above(fma(Vec::load(scores + i), scale, shift));
            sum = sum + e;
            Operand::store(e, p + i);
        }
        fma(Vec::load(total), Vec::broadcast(s.rescale[r]), sum).store(total);
    }
}

// What the biases of a tile need beside its shape: the position of the chunk's row 0, the head, the block's first key.
struct TilePlace {
    std::int64_t position, head, key;
};

template <class Operand>
void forward_block(const ForwardScratch<Operand>& s, const AttentionShape& shape, const TilePlace& place, std::int64_t first_visible,
                   std::int64_t lanes, std::int64_t row, std::int64_t rows) {
    // first_visible: keys of this block that position 0 of the chunk sees (negative: that many less than none).
    const std::int64_t most = first_visible + later_keys(shape, row + rows - 1);
    if (most <= 0) return;
    const std::int64_t keys = most < kBlock ? most : kBlock, columns = padded_columns(padded_inner<Operand>(keys));
    multiply<Operand, Into::overwrite>({s.scores, kBlock, s.queries + row * s.inner, s.inner, s.keys, lanes, rows, columns, s.inner / Operand::step});
    for (std::int64_t r = 0; shape.bias != nullptr && r < rows; ++r)
        bias_scores(s.scores + r * kBlock, columns, place.key - place.position - row - r, shape.bias + place.head * shape.bias_stride, shape);
    softmax_tile(s, shape, first_visible, row, rows, columns);
    multiply<Operand, Into::rescale>({s.sums + row * s.lanes_d, s.lanes_d, s.probabilities, kBlock, s.values, s.lanes_d, rows, s.lanes_d,
                                      padded_inner<Operand>(keys) / Operand::step, s.rescale});
}

template <class Operand, class T>
void attention_forward(const AttentionForward& args, const AttentionSpan& span, std::int64_t kv_head, std::int64_t first, std::int64_t count,
                       void* memory) {
    const AttentionShape& shape = args.shape;
    const std::int64_t d = shape.d, group = shape.group, head = kv_head * group;
    const ForwardScratch<Operand> s(memory, count * group, d);
    fill_zero(s.sums, s.rows * s.lanes_d);
    fill_zero(s.zeros, d);
    fill_zero(s.total, s.rows * Vec::width);
    fill_zero(s.rescale, Operand::rows + Vec::width);
    for (std::int64_t r = 0; r < s.rows; ++r) s.largest[r] = kNothingYet;
    for (std::int64_t r = 0; r < s.rows; ++r) {
        const T* q = static_cast<const T*>(args.q) + (span.query_row + first + r / group) * shape.q_stride + (head + r % group) * d;
        pack_rows<Operand>(s.queries + r * s.inner, s.inner, &q, 1, d);
    }

    [[maybe_unused]] const typename Operand::Session session;
    const auto* zeros = reinterpret_cast<const T*>(s.zeros);
    const std::int64_t end = span.prefix_length + (shape.causal ? first + count : span.length);  // keys that the last query sees
    const std::int64_t first_sees = shape.causal ? span.prefix_length + first + 1 : end;
    // Blocks that the window hides from all these queries would add zeros.
    for (std::int64_t block = first_seen(shape, span.prefix_length + first) / kBlock * kBlock; block < end; block += kBlock) {
        // Short documents have short blocks: what a product reads of one, and no more.
        const std::int64_t keys = end - block < kBlock ? end - block : kBlock, lines = padded_inner<Operand>(keys), lanes = padded_columns(lines);
        const T* rows[kBlock];
        key_pointers(rows, static_cast<const T*>(args.k) + kv_head * d, shape.k_stride, span, block, lanes, end, zeros);
        pack_transposed<Operand>(s.keys, lanes, rows, d);
        key_pointers(rows, static_cast<const T*>(args.v) + kv_head * d, shape.v_stride, span, block, lines, end, zeros);
        pack_panel<Operand>(s.values, s.lanes_d, rows, lines, d);
        for (std::int64_t row = 0; row < s.rows; row += Operand::rows)
            forward_block<Operand>(s, shape, {first, head, block}, first_sees - block, lanes, row,
                                   s.rows - row < Operand::rows ? s.rows - row : Operand::rows);
    }

    for (std::int64_t r = 0; r < s.rows; ++r) {
        const std::int64_t token = span.query_row + first + r / group, h = head + r % group;
        T* out = static_cast<T*>(args.out) + token * shape.out_stride + h * d;
        // + 0 makes a zero positive, whichever hidden keys were added as zeros.
        const float total = Vec::load(s.total + r * Vec::width).sum();
        const Vec inverse = Vec::broadcast(1.0f / total);
        const float* sums = s.sums + r * s.lanes_d;
        for_vectors(d, [=](std::int64_t i, std::int64_t n) { store_part(Vec::load(sums + i) * inverse + Vec::zero(), out + i, n); });
        if (args.lse != nullptr) args.lse[token * shape.lse_stride + h] = s.largest[r] + ::logf(total);
    }
}

template <class Operand> std::size_t attention_forward_scratch(const AttentionShape& shape, std::int64_t count) {
    return ForwardScratch<Operand>(nullptr, count * shape.group, shape.d).bytes;
}

}  // namespace
}  // namespace temper::cpu
