// Attention over blocks of 64 keys, per instruction set. Blocks are cut by the logical index of a key (prefix first, then own keys), so the
// bits of a query row depend neither on where its keys lie nor on the other rows: prefill, any batch and decoding from a cache agree.
// Plain data only: the files behind this header are compiled for several instruction sets.
#pragma once
#include <cstddef>
#include <cstdint>

namespace temper::cpu {

// Query rows [query_row, +length) see keys [prefix_row, +prefix_length), then, causally or all, [key_row, +length).
struct AttentionSpan {
    std::int64_t query_row, length, key_row, prefix_row, prefix_length;
};

// Row strides in elements; heads of a row lie side by side. Query head h reads key/value head h * kv_heads / heads.
struct AttentionShape {
    std::int64_t heads, kv_heads, group, d;  // group = heads / kv_heads
    float scale;
    float softcap;        // 0: none
    std::int64_t window;  // keys a query sees, itself included; 0: all before it
    std::int64_t q_stride, k_stride, v_stride, out_stride, lse_stride;
    bool causal;
    const float* bias = nullptr;  // (heads, 2 bias_radius + 1), group 1; or null
    std::int64_t bias_radius = 0, bias_stride = 0;
};

struct AttentionForward {
    AttentionShape shape;
    const void *q, *k, *v;
    void* out;
    float* lse;  // or null
};

struct AttentionBackward {
    AttentionShape shape;
    const void *q, *k, *v, *out, *d_out;
    const float* lse;
    void* d_q;
    std::int64_t d_q_stride, d_out_stride;
};

struct AttentionKernels {
    // Query positions [first, first + count) of a span, for the query heads that read one key/value head.
    void (*forward)(const AttentionForward& args, const AttentionSpan& span, std::int64_t kv_head, std::int64_t first, std::int64_t count,
                    void* scratch);
    std::size_t (*forward_scratch)(const AttentionShape& shape, std::int64_t count);
    // One whole span and key/value head. Writes its rows of d_q; adds to d_k and d_v, float rows of d numbers, row 0 being key row first_key.
    void (*backward)(const AttentionBackward& args, const AttentionSpan& span, std::int64_t kv_head, float* d_k, float* d_v, std::int64_t first_key,
                     void* scratch);
    std::size_t (*backward_scratch)(const AttentionShape& shape, std::int64_t key_count);  // prefix and own keys
};

extern const AttentionKernels attention_f32_scalar, attention_f32_avx2, attention_f32_avx512;
// bfloat16 storage: products of floats, and products of bfloat16 pairs (AVX512_BF16, AMX).
extern const AttentionKernels attention_bf16_scalar, attention_bf16_avx2, attention_bf16_avx512, attention_bf16_dot_avx512, attention_bf16_amx;

}  // namespace temper::cpu
