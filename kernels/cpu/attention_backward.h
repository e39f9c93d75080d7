// Backward attention of one span and key/value head: blocks of keys outside, tiles of 64 queries inside, probabilities recomputed from lse.
// Scores are held transposed, (key, query): then they are row operands for d_k and d_v, and one interleave makes them the panel for d_q.
//   P = exp(scale q k^T - lse),  D = P * (d_out v^T - delta),  delta = sum(d_out * out)                  [Dao et al. 2022, algorithm 4]
//   d_v = P^T d_out,  d_k = scale D^T q,  d_q = scale D k
#pragma once
#include "kernels/cpu/attention_forward.h"

namespace temper::cpu {
namespace {

template <class Operand> struct BackwardScratch {
    using Number = typename Operand::Number;
    std::int64_t d, inner, lanes_d, tiles;
    Number *key_rows, *value_rows;                       // (64, inner)
    Number* key_columns;                                 // (lanes_d, 64): row operand along keys
    Number *queries_across, *d_out_across;               // panels (inner, 64 queries)
    Number *queries, *d_out;                             // panels (64 queries, lanes_d)
    Number *probabilities, *d_scores;                    // row operands (64 keys, 64 queries)
    Number* d_scores_panel;                              // panel (64 keys, 64 queries); before that, of keys (64, lanes_d)
    float *scores, *d_probabilities;                     // (64 keys, 64 queries)
    float *d_key_block, *d_value_block;                  // (64, lanes_d)
    float *lse, *delta;                                  // (group, tiles * 64)
    float* d_queries;                                    // (tiles, group, lanes_d, 64)
    float* zeros;                                        // (64 or d)
    std::size_t bytes;

    BackwardScratch(void* memory, const AttentionShape& shape, std::int64_t length)
        : d(shape.d), inner(round_up(d, Operand::step)), lanes_d(padded_columns(d)), tiles(round_up(length, kBlock) / kBlock) {
        Cutter cut(memory);
        key_rows = cut.take<Number>(kBlock * inner);
        value_rows = cut.take<Number>(kBlock * inner);
        key_columns = cut.take<Number>(lanes_d * kBlock);
        queries_across = cut.take<Number>(inner * kBlock);
        d_out_across = cut.take<Number>(inner * kBlock);
        queries = cut.take<Number>(kBlock * lanes_d);
        d_out = cut.take<Number>(kBlock * lanes_d);
        probabilities = cut.take<Number>(kBlock * kBlock);
        d_scores = cut.take<Number>(kBlock * kBlock);
        d_scores_panel = cut.take<Number>(kBlock * (lanes_d > kBlock ? lanes_d : kBlock));
        scores = cut.take<float>(kBlock * kBlock);
        d_probabilities = cut.take<float>(kBlock * kBlock);
        d_key_block = cut.take<float>(kBlock * lanes_d);
        d_value_block = cut.take<float>(kBlock * lanes_d);
        lse = cut.take<float>(shape.group * tiles * kBlock);
        delta = cut.take<float>(shape.group * tiles * kBlock);
        d_queries = cut.take<float>(tiles * shape.group * lanes_d * kBlock);
        zeros = cut.take<float>(d < kBlock ? kBlock : d);
        bytes = cut.used();
    }
};

// delta and lse of every query and head; behind the last query lse is infinite, which makes its probabilities zero.
template <class Operand, class T>
void query_statistics(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t head) {
    const AttentionShape& shape = args.shape;
    const std::int64_t padded = s.tiles * kBlock;
    for (std::int64_t g = 0; g < shape.group; ++g) {
        for (std::int64_t i = 0; i < padded; ++i) {
            float& lse = s.lse[g * padded + i];
            float& delta = s.delta[g * padded + i];
            lse = kInfinity, delta = 0.0f;
            if (i >= span.length) continue;
            const std::int64_t token = span.query_row + i;
            const T* out = static_cast<const T*>(args.out) + token * shape.out_stride + (head + g) * s.d;
            const T* d_out = static_cast<const T*>(args.d_out) + token * args.d_out_stride + (head + g) * s.d;
            Vec sum = Vec::zero();
            for_vectors(s.d, [&](std::int64_t c, std::int64_t n) { sum = fma(load_part(out + c, n), load_part(d_out + c, n), sum); });
            delta = sum.sum();
            lse = args.lse[token * shape.lse_stride + head + g];
        }
    }
}

// Probabilities of one key over a tile of queries, and the gradient of its scores. Queries below `hidden` do not see the key.
template <class Operand>
void softmax_backward(typename Operand::Number* p, typename Operand::Number* d_scores, const float* scores, const float* d_p, const float* lse,
                      const float* delta, std::int64_t hidden, float scale) {
    const Vec factor = Vec::broadcast(scale);
    for (std::int64_t i = 0; i < kBlock; i += Vec::width) {
        Vec e = exp(Vec::load(scores + i) * factor - Vec::load(lse + i));
        Vec d = e * (Vec::load(d_p + i) - Vec::load(delta + i));
        if (hidden > i) {
            e = Vec::blend_below(hidden - i, Vec::zero(), e);
            d = Vec::blend_below(hidden - i, Vec::zero(), d);
        }
        Operand::store(e, p + i);
        Operand::store(d, d_scores + i);
    }
}

// One block of keys against one tile of queries of one head. keys: those of the block that exist; hidden: queries of the tile that do not see key 0.
template <class Operand>
void backward_tile(const BackwardScratch<Operand>& s, std::int64_t keys, std::int64_t hidden, const float* lse, const float* delta, float scale,
                   float* d_queries) {
    using Number = typename Operand::Number;
    constexpr std::int64_t step = Operand::step;
    const std::int64_t steps_d = s.inner / step;
    multiply<Operand, Into::overwrite>({s.scores, kBlock, s.key_rows, s.inner, s.queries_across, kBlock, keys, kBlock, steps_d});
    multiply<Operand, Into::overwrite>({s.d_probabilities, kBlock, s.value_rows, s.inner, s.d_out_across, kBlock, keys, kBlock, steps_d});
    for (std::int64_t j = 0; j < keys; ++j) {
        const std::int64_t at = j * kBlock;
        softmax_backward<Operand>(s.probabilities + at, s.d_scores + at, s.scores + at, s.d_probabilities + at, lse, delta, hidden + j, scale);
    }
    multiply<Operand, Into::add>({s.d_value_block, s.lanes_d, s.probabilities, kBlock, s.d_out, s.lanes_d, keys, s.lanes_d, kBlock / step});
    multiply<Operand, Into::add>({s.d_key_block, s.lanes_d, s.d_scores, kBlock, s.queries, s.lanes_d, keys, s.lanes_d, kBlock / step});
    const std::int64_t whole = round_up(keys, step);
    const Number* rows[kBlock];
    for (std::int64_t j = 0; j < whole; ++j) rows[j] = j < keys ? s.d_scores + j * kBlock : reinterpret_cast<const Number*>(s.zeros);
    pack_panel<Operand>(s.d_scores_panel, kBlock, rows, whole, kBlock);
    multiply<Operand, Into::add>({d_queries, kBlock, s.key_columns, kBlock, s.d_scores_panel, kBlock, s.d, kBlock, whole / step});
}

// The tile's queries and output gradients, in both orders.
template <class Operand, class T>
void pack_queries(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t tile, std::int64_t head) {
    const auto* zeros = reinterpret_cast<const T*>(s.zeros);
    const T *q[kBlock], *d_out[kBlock];
    for (std::int64_t i = 0; i < kBlock; ++i) {
        const std::int64_t position = tile * kBlock + i, token = span.query_row + position;
        const bool exists = position < span.length;
        q[i] = exists ? static_cast<const T*>(args.q) + token * args.shape.q_stride + head * s.d : zeros;
        d_out[i] = exists ? static_cast<const T*>(args.d_out) + token * args.d_out_stride + head * s.d : zeros;
    }
    pack_transposed<Operand>(s.queries_across, kBlock, q, s.d);
    pack_transposed<Operand>(s.d_out_across, kBlock, d_out, s.d);
    pack_panel<Operand>(s.queries, s.lanes_d, q, kBlock, s.d);
    pack_panel<Operand>(s.d_out, s.lanes_d, d_out, kBlock, s.d);
}

template <class Operand, class T>
void write_d_queries(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t head) {
    const std::int64_t group = args.shape.group;
    for (std::int64_t i = 0; i < span.length; ++i) {
        for (std::int64_t g = 0; g < group; ++g) {
            const float* column = s.d_queries + ((i / kBlock * group + g) * s.lanes_d) * kBlock + i % kBlock;
            T* to = static_cast<T*>(args.d_q) + (span.query_row + i) * args.d_q_stride + (head + g) * s.d;
            for_vectors(s.d, [&](std::int64_t c, std::int64_t n) {
                float part[Vec::width] = {};
                for (std::int64_t e = 0; e < n; ++e) part[e] = column[(c + e) * kBlock];
                store_part(Vec::load(part) * Vec::broadcast(args.shape.scale), to + c, n);
            });
        }
    }
}

template <class Operand, class T>
void pack_keys(const BackwardScratch<Operand>& s, const AttentionBackward& args, const AttentionSpan& span, std::int64_t kv_head, std::int64_t block) {
    const auto* zeros = reinterpret_cast<const T*>(s.zeros);
    const std::int64_t end = span.prefix_length + span.length;
    const T* rows[kBlock];
    key_pointers(rows, static_cast<const T*>(args.v) + kv_head * s.d, args.shape.v_stride, span, block, end, zeros);
    pack_rows<Operand>(s.value_rows, s.inner, rows, kBlock, s.d);
    key_pointers(rows, static_cast<const T*>(args.k) + kv_head * s.d, args.shape.k_stride, span, block, end, zeros);
    pack_rows<Operand>(s.key_rows, s.inner, rows, kBlock, s.d);
    pack_panel<Operand>(s.d_scores_panel, s.lanes_d, rows, kBlock, s.d);
    transpose_panel(s.key_columns, kBlock / Operand::step, s.d_scores_panel, s.lanes_d, kBlock / Operand::step);
}

template <class Operand, class T>
void attention_backward(const AttentionBackward& args, const AttentionSpan& span, std::int64_t kv_head, float* d_k, float* d_v, std::int64_t first_key,
                        void* memory) {
    const AttentionShape& shape = args.shape;
    const std::int64_t group = shape.group, head = kv_head * group, end = span.prefix_length + span.length;
    const BackwardScratch<Operand> s(memory, shape, span.length);
    fill_zero(s.zeros, s.d < kBlock ? kBlock : s.d);
    fill_zero(s.d_queries, s.tiles * group * s.lanes_d * kBlock);
    query_statistics<Operand, T>(s, args, span, head);
    for (std::int64_t block = 0; block < end; block += kBlock) {
        const std::int64_t keys = end - block < kBlock ? end - block : kBlock;
        const std::int64_t first_query = block > span.prefix_length ? block - span.prefix_length : 0;  // the first that sees the block's first key
        pack_keys<Operand, T>(s, args, span, kv_head, block);
        fill_zero(s.d_key_block, kBlock * s.lanes_d);
        fill_zero(s.d_value_block, kBlock * s.lanes_d);
        for (std::int64_t tile = first_query / kBlock; tile < s.tiles; ++tile) {
            for (std::int64_t g = 0; g < group; ++g) {
                pack_queries<Operand, T>(s, args, span, tile, head + g);
                const std::int64_t at = (g * s.tiles + tile) * kBlock;
                backward_tile<Operand>(s, keys, block - span.prefix_length - tile * kBlock, s.lse + at, s.delta + at, shape.scale,
                                       s.d_queries + (tile * group + g) * s.lanes_d * kBlock);
            }
        }
        for (std::int64_t j = 0; j < keys; ++j) {
            const std::int64_t row = key_row(span, block + j) - first_key;
            for (std::int64_t c = 0; c < s.d; ++c) {
                d_k[row * s.d + c] += s.d_key_block[j * s.lanes_d + c] * shape.scale;
                d_v[row * s.d + c] += s.d_value_block[j * s.lanes_d + c];
            }
        }
    }
    write_d_queries<Operand, T>(s, args, span, head);
}

template <class Operand> std::size_t attention_backward_scratch(const AttentionShape& shape, std::int64_t length) {
    return BackwardScratch<Operand>(nullptr, shape, length).bytes;
}

template <class Operand, class T> constexpr AttentionKernels make_attention_kernels() {
    return {&attention_forward<Operand, T>, &attention_forward_scratch<Operand>, &attention_backward<Operand, T>, &attention_backward_scratch<Operand>};
}

}  // namespace
}  // namespace temper::cpu
