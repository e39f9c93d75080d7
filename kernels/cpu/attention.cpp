// Shares attention out to threads. Forward: a task is a chunk of one segment's queries and a key/value head. Backward: a task is a key/value
// head of a family, segments that share keys through prefixes, so that one task owns every gradient row it adds to; sums over segments keep their order.
#include "kernels/cpu/attention.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

const AttentionKernels& kernels_for(DType dtype, Isa isa) {
    const bool half = dtype == DType::bf16;
    switch (isa) {
        case Isa::scalar: return half ? attention_bf16_scalar : attention_f32_scalar;
        case Isa::avx2: return half ? attention_bf16_avx2 : attention_f32_avx2;
        case Isa::avx512: return half ? attention_bf16_avx512 : attention_f32_avx512;
        case Isa::avx512_bf16: return half ? attention_bf16_dot_avx512 : attention_f32_avx512;
        case Isa::amx: break;
    }
    return half ? attention_bf16_amx : attention_f32_avx512;
}

AttentionShape shape_of(const View& q, const View& k, const View& v, const View& out, const View& lse, const AttentionRule& rule) {
    AttentionShape shape{q.size(1),   k.size(1),   q.size(1) / k.size(1), q.size(2),   rule.scale,    rule.softcap,
                         rule.window, q.stride[0], k.stride[0],           v.stride[0], out.stride[0], lse.empty() ? 0 : lse.stride[0],
                         rule.causal};
    if (!rule.bias.empty()) shape.bias = rule.bias.as<float>(), shape.bias_radius = rule.bias.size(1) / 2, shape.bias_stride = rule.bias.stride[0];
    return shape;
}

AttentionSpan span_of(const Segment& s) { return {s.begin, s.length, s.key_begin, s.prefix_begin, s.prefix_length}; }

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

struct Chunk {
    std::size_t segment;
    std::int64_t first;
};

// Segments [first, last), key rows [key_begin, key_end); cost counts pairs of query and key.
struct Family {
    std::size_t first, last;
    std::int64_t key_begin, key_end, most_keys, cost;  // most_keys: of one segment, prefix included
};

// The families in order. A cut lies before a segment when neither it nor a later one has a prefix that begins earlier.
// visit(family) may be called to count first and to store afterwards: nothing is allocated here.
template <class Visit> void for_families(Span<const Segment> segments, std::int64_t window, const Visit& visit) {
    std::size_t last = segments.size();
    while (last > 0) {
        Family family{last, last, segments[last - 1].begin, segments[last - 1].begin + segments[last - 1].length, 0, 0};
        do {
            const Segment& s = segments[--family.first];
            family.key_begin = std::min(family.key_begin, s.begin);
            if (s.prefix_length > 0) family.key_begin = std::min(family.key_begin, s.prefix_begin);
            family.most_keys = std::max(family.most_keys, s.prefix_length + s.length);
            const std::int64_t seen = s.prefix_length + s.length / 2;
            family.cost += s.length * ((window > 0 ? std::min(window, seen) : seen) + 32);
        } while (family.first > 0 && segments[family.first - 1].begin + segments[family.first - 1].length > family.key_begin);
        last = family.first;
        visit(family);
    }
}

void zero_rows(const View& view, std::int64_t begin, std::int64_t end) {
    const std::int64_t width = view.size(1) * view.size(2) * size_of(view.dtype);
    for (std::int64_t row = begin; row < end; ++row)
        std::memset(static_cast<char*>(view.data) + row * view.stride[0] * size_of(view.dtype), 0, static_cast<std::size_t>(width));
}

// Sums of one key/value head to storage.
template <class T>
void store_rows(const RowKernels<T>& rows, const View& to, const float* sums, std::int64_t begin, std::int64_t end, std::int64_t kv_head) {
    const std::int64_t d = to.size(2);
    for (std::int64_t row = begin; row < end; ++row) rows.narrow(to.row<T>(row) + kv_head * d, sums + (row - begin) * d, d);
}

void store_head(const Stream& stream, const View& to, const float* sums, const Family& family, std::int64_t kv_head) {
    if (to.dtype == DType::bf16) store_rows(row_kernels<bf16>(stream.isa()), to, sums, family.key_begin, family.key_end, kv_head);
    else store_rows(row_kernels<float>(stream.isa()), to, sums, family.key_begin, family.key_end, kv_head);
}

}  // namespace

void attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule) {
    const AttentionKernels& kernels = kernels_for(q.dtype, stream.isa());
    const AttentionForward args{shape_of(q, k, v, out, lse, rule), q.data, k.data, v.data, out.data, lse.empty() ? nullptr : lse.as<float>()};
    // About 192 rows of the group's heads share a packed block of keys.
    const std::int64_t length = std::max<std::int64_t>(1, 192 / args.shape.group);
    std::size_t chunk_count = 0;
    for (const Segment& s : segments) chunk_count += static_cast<std::size_t>((s.length + length - 1) / length);
    const std::size_t table = aligned(chunk_count * sizeof(Chunk)), own = aligned(kernels.forward_scratch(args.shape, length));
    char* scratch = static_cast<char*>(stream.scratch(table + own * static_cast<std::size_t>(stream.threads())));

    auto* chunks = reinterpret_cast<Chunk*>(scratch);
    std::size_t filled = 0;
    for (std::size_t i = 0; i < segments.size(); ++i)
        for (std::int64_t first = 0; first < segments[i].length; first += length) chunks[filled++] = {i, first};

    const std::int64_t kv_heads = args.shape.kv_heads;
    parallel_for(stream, static_cast<std::int64_t>(chunk_count) * kv_heads, [&](std::int64_t item, int thread) {
        const Chunk& chunk = chunks[item / kv_heads];
        const Segment& s = segments[chunk.segment];
        kernels.forward(args, span_of(s), item % kv_heads, chunk.first, std::min(length, s.length - chunk.first),
                        scratch + table + own * static_cast<std::size_t>(thread));
    });
}

void attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule) {
    const AttentionKernels& kernels = kernels_for(q.dtype, stream.isa());
    const AttentionBackward args{
        shape_of(q, k, v, out, lse, rule), q.data, k.data, v.data, out.data, d_out.data, lse.as<float>(), d_q.data, d_q.stride[0], d_out.stride[0]};
    const std::int64_t d = args.shape.d, kv_heads = args.shape.kv_heads;
    std::size_t family_count = 0;
    std::int64_t most_keys = 0, most_seen = 0;
    for_families(segments, rule.window, [&](const Family& family) {
        ++family_count;
        most_keys = std::max(most_keys, family.key_end - family.key_begin);
        most_seen = std::max(most_seen, family.most_keys);
    });
    const std::size_t table = aligned(family_count * sizeof(Family)), sums = aligned(static_cast<std::size_t>(most_keys * d) * sizeof(float));
    const std::size_t own = 2 * sums + aligned(kernels.backward_scratch(args.shape, most_seen));
    char* scratch = static_cast<char*>(stream.scratch(table + own * static_cast<std::size_t>(stream.threads())));

    auto* families = reinterpret_cast<Family*>(scratch);
    std::size_t filled = family_count;
    for_families(segments, rule.window, [&](const Family& family) { families[--filled] = family; });

    std::int64_t query_end = 0, key_end = 0;
    for (const Segment& s : segments) {
        zero_rows(d_q, query_end, s.begin);
        query_end = s.begin + s.length;
    }
    for (std::size_t f = 0; f < family_count; ++f) {
        for (const View& gradient : {d_k, d_v}) zero_rows(gradient, key_end, families[f].key_begin);
        key_end = families[f].key_end;
    }
    zero_rows(d_q, query_end, q.size(0));
    for (const View& gradient : {d_k, d_v}) zero_rows(gradient, key_end, k.size(0));

    // The dearest first, so that no thread starts a long one when the others are done.
    std::sort(families, families + family_count,
              [](const Family& a, const Family& b) { return a.cost != b.cost ? a.cost > b.cost : a.first < b.first; });
    parallel_for(stream, static_cast<std::int64_t>(family_count) * kv_heads, [&](std::int64_t item, int thread) {
        const Family& family = families[item / kv_heads];
        char* memory = scratch + table + own * static_cast<std::size_t>(thread);
        auto *d_keys = reinterpret_cast<float*>(memory), *d_values = reinterpret_cast<float*>(memory + sums);
        std::memset(memory, 0, 2 * sums);
        for (std::size_t i = family.first; i < family.last; ++i)
            kernels.backward(args, span_of(segments[i]), item % kv_heads, d_keys, d_values, family.key_begin, memory + 2 * sums);
        store_head(stream, d_k, d_keys, family, item % kv_heads);
        store_head(stream, d_v, d_values, family, item % kv_heads);
    });
}

std::size_t attention_backward_scratch(DType dtype, std::int64_t /*tokens*/, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                       std::int64_t longest, int threads) {
    const AttentionKernels& kernels = kernels_for(dtype, best_isa());
    const AttentionShape shape{heads, kv_heads, heads / kv_heads, d, 1.0f, 0.0f, 0, 0, 0, 0, 0, 0, true};
    const std::size_t own = 2 * aligned(static_cast<std::size_t>(longest * d) * sizeof(float)) + aligned(kernels.backward_scratch(shape, longest));
    return own * static_cast<std::size_t>(threads);
}

}  // namespace temper::cpu
