// Backward attention of one span and key/value head: tiles of 64 queries outside, blocks of keys inside, probabilities recomputed from lse.
// Scores are held transposed, (key, query): then they are row operands for d_k and d_v, and one interleave makes them the panel for d_q.
// With a cap, P = exp(z - lse) of z = cap tanh(scale q k^T / cap), and D is multiplied by z' = 1 - tanh^2.
//   P = exp(scale q k^T - lse),  D = P * (d_out v^T - delta),  delta = sum(d_out * out)                  [Dao et al. 2022, algorithm 4]
//   d_v = P^T d_out,  d_k = scale D^T q,  d_q = scale D k
#pragma once
#include "kernels/cpu/attention_forward.h"

namespace temper::cpu {
namespace {

// One block of keys, packed once a span, and the sums of its gradients.
template <class Operand> struct KeyBlock {
    using Number = typename Operand::Number;
    Number *key_rows, *value_rows;  // row operands (64, inner)
    Number* key_columns;            // row operand (lanes_d, 64)
    float *d_keys, *d_values;       // (64, lanes_d)
};

// One tile of queries of one head, packed once.
template <class Operand> struct QueryTile {
    using Number = typename Operand::Number;
    Number *queries_across, *d_out_across;  // panels (inner, 64 queries)
    Number *queries, *d_out;                // panels (64 queries, lanes_d)
    float *lse, *delta;                     // (64)
    float* d_queries;                       // (lanes_d, 64)
};

template <class Operand> struct BackwardScratch {
    using Number = typename Operand::Number;
    std::int64_t d, inner, lanes_d;
    Number *probabilities, *d_scores;  // row operands (64 keys, 64 queries)
    Number* panel;                     // (64 keys, 64 queries) of d_scores; while packing, (64 keys, lanes_d)
    float *scores, *d_probabilities;   // (64 keys, 64 queries)
    float* zeros;                      // (64 or d)
    Number *keys, *queries;            // all key blocks of the span; the tile of every head of the group
    float *key_sums, *query_sums;
    std::size_t bytes;

    BackwardScratch(void* memory, const AttentionShape& shape, std::int64_t key_count)
        : d(shape.d), inner(padded_inner<Operand>(d)), lanes_d(padded_columns(d)) {
        const std::int64_t blocks = round_up(key_count, kBlock) / kBlock;
        Cutter cut(memory);
        probabilities = cut.take<Number>(kBlock * kBlock);
        d_scores = cut.take<Number>(kBlock * kBlock);
        panel = cut.take<Number>(kBlock * (lanes_d > kBlock ? lanes_d : kBlock));
        scores = cut.take<float>(kBlock * kBlock);
        d_probabilities = cut.take<float>(kBlock * kBlock);
        zeros = cut.take<float>(d > kBlock ? d : kBlock);
        keys = cut.take<Number>(blocks * kBlock * (2 * inner + lanes_d));
        key_sums = cut.take<float>(blocks * kBlock * 2 * lanes_d);
        queries = cut.take<Number>(shape.group * kBlock * 2 * (inner + lanes_d));
        query_sums = cut.take<float>(shape.group * kBlock * (lanes_d + 2));
        bytes = cut.used();
    }

    KeyBlock<Operand> block(std::int64_t index) const {
        Number* at = keys + index * kBlock * (2 * inner + lanes_d);
        float* sums = key_sums + index * kBlock * 2 * lanes_d;
        return {at, at + kBlock * inner, at + 2 * kBlock * inner, sums, sums + kBlock * lanes_d};
    }
    QueryTile<Operand> tile(std::int64_t head) const {
        Number* at = queries + head * kBlock * 2 * (inner + lanes_d);
        float* sums = query_sums + head * kBlock * (lanes_d + 2);
        Number* panels = at + 2 * kBlock * inner;
        return {at, at + kBlock * inner, panels, panels + kBlock * lanes_d, sums, sums + kBlock, sums + 2 * kBlock};
    }
};

template <class Operand, class T>
void pack_keys(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t kv_head,
               std::int64_t index) {
    const auto* zeros = reinterpret_cast<const T*>(s.zeros);
    const std::int64_t end = span.prefix_length + span.length, first = index * kBlock;
    const KeyBlock<Operand> block = s.block(index);
    const T* rows[kBlock];
    key_pointers(rows, static_cast<const T*>(args.v) + kv_head * s.d, args.shape.v_stride, span, first, kBlock, end, zeros);
    pack_rows<Operand>(block.value_rows, s.inner, rows, kBlock, s.d);
    key_pointers(rows, static_cast<const T*>(args.k) + kv_head * s.d, args.shape.k_stride, span, first, kBlock, end, zeros);
    pack_rows<Operand>(block.key_rows, s.inner, rows, kBlock, s.d);
    pack_panel<Operand>(s.panel, s.lanes_d, rows, kBlock, s.d);
    transpose_panel(block.key_columns, kBlock / Operand::step, s.panel, s.lanes_d, kBlock / Operand::step);
    fill_zero(block.d_keys, kBlock * s.lanes_d);
    fill_zero(block.d_values, kBlock * s.lanes_d);
}

// Queries [first, first + 64) of a head with their output gradients, in both orders, and their statistics.
// Behind the last query lse is infinite, which makes the probabilities zero.
template <class Operand, class T>
void pack_queries(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t first, std::int64_t head,
                  const QueryTile<Operand>& tile) {
    const auto* zeros = reinterpret_cast<const T*>(s.zeros);
    const T *q[kBlock], *d_out[kBlock];
    for (std::int64_t i = 0; i < kBlock; ++i) {
        const std::int64_t token = span.query_row + first + i;
        const bool exists = first + i < span.length;
        q[i] = exists ? static_cast<const T*>(args.q) + token * args.shape.q_stride + head * s.d : zeros;
        d_out[i] = exists ? static_cast<const T*>(args.d_out) + token * args.d_out_stride + head * s.d : zeros;
        const T* out = exists ? static_cast<const T*>(args.out) + token * args.shape.out_stride + head * s.d : zeros;
        Vec sum = Vec::zero();
        for_vectors(s.d, [&](std::int64_t c, std::int64_t n) { sum = fma(load_part(out + c, n), load_part(d_out[i] + c, n), sum); });
        tile.delta[i] = sum.sum();
        tile.lse[i] = exists ? args.lse[token * args.shape.lse_stride + head] : kInfinity;
    }
    pack_transposed<Operand>(tile.queries_across, kBlock, q, s.d);
    pack_transposed<Operand>(tile.d_out_across, kBlock, d_out, s.d);
    pack_panel<Operand>(tile.queries, s.lanes_d, q, kBlock, s.d);
    pack_panel<Operand>(tile.d_out, s.lanes_d, d_out, kBlock, s.d);
    fill_zero(tile.d_queries, kBlock * s.lanes_d);
}

// Probabilities of one key over queries [from, 64) of a tile, and the gradient of its scores; both are zero where query < hidden, and behind
// the window.
template <class Operand>
void softmax_backward(const BackwardScratch<Operand>& s, const QueryTile<Operand>& tile, std::int64_t key, std::int64_t from, std::int64_t hidden,
                      const AttentionShape& shape) {
    const Vec factor = Vec::broadcast(shape.scale), one = Vec::broadcast(1.0f);
    const bool capped = shape.softcap > 0.0f;
    const Vec inverse = Vec::broadcast(capped ? shape.scale / shape.softcap : 0.0f), cap = Vec::broadcast(shape.softcap);
    const std::int64_t row = key * kBlock, until = shape.window > 0 ? hidden + shape.window : kBlock;
    for (std::int64_t i = 0; i < from; i += Vec::width) Operand::store(Vec::zero(), s.d_scores + row + i);
    for (std::int64_t i = from; i < kBlock; i += Vec::width) {
        Vec p, slope = one;
        if (capped) {
            const Vec t = tanh(Vec::load(s.scores + row + i) * inverse);
            p = exp_not_above(fma(t, cap, Vec::zero() - Vec::load(tile.lse + i)));
            slope = one - t * t;
        } else {
            p = exp_not_above(fma(Vec::load(s.scores + row + i), factor, Vec::zero() - Vec::load(tile.lse + i)));
        }
        Vec d_score = p * (Vec::load(s.d_probabilities + row + i) - Vec::load(tile.delta + i));
        if (capped) d_score = d_score * slope;
        if (hidden > i) {
            p = Vec::blend_below(hidden - i, Vec::zero(), p);
            d_score = Vec::blend_below(hidden - i, Vec::zero(), d_score);
        }
        if (until < i + Vec::width) {
            p = Vec::blend_below(until - i, p, Vec::zero());
            d_score = Vec::blend_below(until - i, d_score, Vec::zero());
        }
        Operand::store(p, s.probabilities + row + i);
        Operand::store(d_score, s.d_scores + row + i);
    }
}

// Keys [first, first + count) of a block against the queries [from, 64) of a tile: scores, d_v and d_k. Key j is hidden from queries below hidden + j.
template <class Operand>
void backward_keys(const BackwardScratch<Operand>& s, const KeyBlock<Operand>& block, const QueryTile<Operand>& tile, std::int64_t first,
                   std::int64_t count, std::int64_t from, std::int64_t hidden, const AttentionShape& shape) {
    constexpr std::int64_t step = Operand::step;
    const std::int64_t at = first * kBlock + from, columns = kBlock - from, out = first * s.lanes_d;
    multiply<Operand, Into::overwrite>({s.scores + at, kBlock, block.key_rows + first * s.inner, s.inner, tile.queries_across + from * step, kBlock,
                                        count, columns, s.inner / step});
    multiply<Operand, Into::overwrite>({s.d_probabilities + at, kBlock, block.value_rows + first * s.inner, s.inner, tile.d_out_across + from * step,
                                        kBlock, count, columns, s.inner / step});
    for (std::int64_t j = first; j < first + count; ++j) softmax_backward(s, tile, j, from, hidden + j, shape);
    multiply<Operand, Into::add>(
        {block.d_values + out, s.lanes_d, s.probabilities + at, kBlock, tile.d_out + from * s.lanes_d, s.lanes_d, count, s.lanes_d, columns / step});
    multiply<Operand, Into::add>(
        {block.d_keys + out, s.lanes_d, s.d_scores + at, kBlock, tile.queries + from * s.lanes_d, s.lanes_d, count, s.lanes_d, columns / step});
}

// One block of keys against one tile of queries of one head. hidden: queries of the tile that do not see the block's first key.
// Products that causality makes zero are left out in runs of keys, registers or depths of queries, and halves of the tile.
template <class Operand>
void backward_tile(const BackwardScratch<Operand>& s, const KeyBlock<Operand>& block, const QueryTile<Operand>& tile, std::int64_t keys,
                   std::int64_t hidden, const AttentionShape& shape) {
    using Number = typename Operand::Number;
    constexpr std::int64_t step = Operand::step, half = kBlock / 2, unit = Operand::depth > 16 ? Operand::depth : 16;
    const bool diagonal = hidden + keys > 1;
    const std::int64_t run = diagonal ? Operand::run : keys;
    for (std::int64_t first = 0; first < keys; first += run) {
        const std::int64_t below = hidden + first, from = !diagonal || below < 0 ? 0 : below / unit * unit;
        const std::int64_t count = keys - first < run ? keys - first : run;
        if (from < kBlock) backward_keys(s, block, tile, first, count, from, hidden, shape);
    }
    const auto add_to_queries = [&](std::int64_t column, std::int64_t columns) {
        const std::int64_t seen = column + columns - hidden, used = seen < keys ? seen : keys;  // keys that some query of these columns sees
        if (used <= 0) return;
        const std::int64_t whole = padded_inner<Operand>(used);
        const Number* rows[kBlock];
        for (std::int64_t j = 0; j < whole; ++j) rows[j] = j < used ? s.d_scores + j * kBlock + column : reinterpret_cast<const Number*>(s.zeros);
        pack_panel<Operand>(s.panel, columns, rows, whole, columns);
        multiply<Operand, Into::add>({tile.d_queries + column, kBlock, block.key_columns, kBlock, s.panel, columns, s.d, columns, whole / step});
    };
    if (!diagonal) return add_to_queries(0, kBlock);
    add_to_queries(0, half);
    add_to_queries(half, half);
}

template <class Operand, class T>
void write_d_queries(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t first,
                     std::int64_t head, const QueryTile<Operand>& tile) {
    const Vec scale = Vec::broadcast(args.shape.scale);
    for (std::int64_t i = 0; i < kBlock && first + i < span.length; i += Vec::width) {
        for (std::int64_t c = 0; c < s.d; c += Vec::width) {
            Vec square[Vec::width];
            for (std::int64_t e = 0; e < Vec::width; ++e) square[e] = Vec::load(tile.d_queries + (c + e) * kBlock + i);
            Vec::transpose(square);
            const std::int64_t n = s.d - c < Vec::width ? s.d - c : Vec::width;
            for (std::int64_t e = 0; e < Vec::width && first + i + e < span.length; ++e) {
                T* to = static_cast<T*>(args.d_q) + (span.query_row + first + i + e) * args.d_q_stride + head * s.d + c;
                store_part(square[e] * scale + Vec::zero(), to, n);  // + 0 makes zeros positive
            }
        }
    }
}

// Adds a block's sums to the rows of its keys.
template <class Operand>
void add_key_sums(const BackwardScratch<Operand>& s, const AttentionSpan& span, float scale, std::int64_t index, float* d_k, float* d_v,
                  std::int64_t first_key) {
    const KeyBlock<Operand> block = s.block(index);
    const Vec factor = Vec::broadcast(scale);
    const std::int64_t end = span.prefix_length + span.length - index * kBlock;
    for (std::int64_t j = 0; j < kBlock && j < end; ++j) {
        const std::int64_t row = (key_row(span, index * kBlock + j) - first_key) * s.d;
        const float *keys = block.d_keys + j * s.lanes_d, *values = block.d_values + j * s.lanes_d;
        for_vectors(s.d, [=](std::int64_t c, std::int64_t n) {
            store_part(fma(Vec::load(keys + c), factor, load_part(d_k + row + c, n)), d_k + row + c, n);
            store_part(Vec::load(values + c) + load_part(d_v + row + c, n), d_v + row + c, n);
        });
    }
}

template <class Operand, class T>
void attention_backward(const AttentionBackward& args, const AttentionSpan& span, std::int64_t kv_head, float* d_k, float* d_v,
                        std::int64_t first_key, void* memory) {
    const AttentionShape& shape = args.shape;
    const std::int64_t group = shape.group, head = kv_head * group, end = span.prefix_length + span.length;
    const BackwardScratch<Operand> s(memory, shape, end);
    [[maybe_unused]] const typename Operand::Session session;
    fill_zero(s.zeros, s.d > kBlock ? s.d : kBlock);
    for (std::int64_t index = 0; index * kBlock < end; ++index) pack_keys<Operand, T>(s, args, span, kv_head, index);
    for (std::int64_t first = 0; first < span.length; first += kBlock) {
        for (std::int64_t g = 0; g < group; ++g) pack_queries<Operand, T>(s, args, span, first, head + g, s.tile(g));
        const std::int64_t last = first + kBlock < span.length ? first + kBlock : span.length;
        for (std::int64_t key = first_seen(shape, span.prefix_length + first) / kBlock * kBlock; key < span.prefix_length + last; key += kBlock)
            for (std::int64_t g = 0; g < group; ++g)
                backward_tile(s, s.block(key / kBlock), s.tile(g), end - key < kBlock ? end - key : kBlock, key - span.prefix_length - first, shape);
        for (std::int64_t g = 0; g < group; ++g) write_d_queries<Operand, T>(s, args, span, first, head + g, s.tile(g));
    }
    for (std::int64_t index = 0; index * kBlock < end; ++index) add_key_sums(s, span, shape.scale, index, d_k, d_v, first_key);
}

template <class Operand> std::size_t attention_backward_scratch(const AttentionShape& shape, std::int64_t key_count) {
    return BackwardScratch<Operand>(nullptr, shape, key_count).bytes;
}

template <class Operand, class T> constexpr AttentionKernels make_attention_kernels() {
    return {&attention_forward<Operand, T>, &attention_forward_scratch<Operand>, &attention_backward<Operand, T>,
            &attention_backward_scratch<Operand>};
}

}  // namespace
}  // namespace temper::cpu
