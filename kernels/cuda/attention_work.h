// What the kernels of attention share: the numbers of a call, and the work of a block of threads, which the host lists once.
// Rows of a segment are (position, head of the group), heads fastest, so that a tile of rows fills up and shares its keys. Keys of a segment are
// counted in its own order, prefix first: tiles and splits are cut by that count, so that a row's bits depend neither on where its keys lie nor on
// the other rows.
#pragma once
#include <vector>

#include "kernels/cuda/launch.h"

namespace temper::cuda {

constexpr int kLeastSharedBytes =
    99 * 1024;  // that a block may have on every device: 8.6, 8.9 and 12.0                   [CUDA Programming Guide, compute capabilities]
constexpr int kSplitKeys = 1024;   // sums over so many keys are made apart and then put together in order, in prefill as in decoding
constexpr int kDecodingRows = 32;  // a segment of no more rows is shared out over its splits
constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
constexpr float kNothingYet = -1e30f;  // the largest logit of no key: finite, so that sums of nothing stay zero when they are rescaled

// Logits are scale q k^T, or softcap tanh(scale q k^T / softcap); softmax works in powers of two.
struct AttentionShape {
    std::int64_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0, lse_stride = 0;
    std::uint64_t group_inverse = 0;  // 2^32 / group, rounded up
    std::int32_t kv_heads = 0, group = 0, d = 0;
    std::int32_t window = 0;             // keys a query sees, itself included; 0: all before it
    std::int32_t causal = 1;             // 0: and all behind it
    float factor = 0.0f;                 // logit in powers of two = factor * product, or factor * tanh(inverse * product)
    float inverse = 0.0f, scale = 0.0f;  // scale / softcap, or 0: no cap; d logit / d product at 0
    std::int32_t bias_stride = 0;        // floats from one head's bias to the next's
    std::int32_t bias_radius = -1;       // logits are scale q k^T + bias[head][radius + clamp(key - position, -radius, radius)]; -1: no bias
};

// Rows [first, +tile) of a segment against its keys [key_begin, key_end). slot: where sums of a split are kept; -1: these are all keys.
// Work without keys, and what follows here without a count, is none: it fills up a list.
struct RowWork {
    std::int32_t segment, first, key_begin, key_end, slot;
};

// Rows whose splits stand in slots [slot, +count).
struct SplitRows {
    std::int32_t segment, first, slot, count;
};

// Key rows [first, +count) and the visits of segments that see some of them.
struct KeyWork {
    std::int32_t first, count, visit_begin, visit_end;
};

// A segment sees keys [from, to) of a tile; the tile's first row is number `offset` in the order of the segment's keys (below 0 where the
// tile begins before the prefix).
struct Visit {
    std::int32_t segment, offset, from, to;
};

// Floats of a slot for one key/value head: `rows` times `width` sums, then the largest logit and the total of each row.
constexpr std::int64_t split_floats(int rows, int width) { return static_cast<std::int64_t>(rows) * (width + 2); }

struct RowRange {
    std::int32_t begin, count;
};

// Work lists, dearest first.
struct RowPlan {
    std::vector<RowWork> whole;   // tiles of `tile_rows` rows
    std::vector<RowWork> splits;  // tiles of `split_rows` rows
    std::vector<SplitRows> split_rows;
    int slots = 0;
    bool several_splits = false;  // some tile of `whole` sees more than one
};
RowPlan plan_rows(Span<const Segment> segments, const AttentionShape& shape, int tile_rows, int split_tile_rows, int key_tile, bool split_short);

struct KeyPlan {
    std::vector<KeyWork> tiles;  // every row of k once
    std::vector<Visit> visits;
};
KeyPlan plan_keys(Span<const Segment> segments, std::int64_t keys, int group, int tile);

// In a section that is recorded lists are as long as any batch's of that many tokens, and about that many segments, so that the next one's work is
// launched alike.
void fill_up(Stream& stream, RowPlan& plan, Span<const Segment> segments, int group, int tile_rows, int key_tile);
void fill_up(Stream& stream, KeyPlan& plan, Span<const Segment> segments, int tile);

// Rows in no segment; the segments are in order.
std::vector<RowRange> rows_of_nobody(Span<const Segment> segments, std::int64_t tokens);

// Rows of every view begin at multiples of N numbers, 16 bytes at most.
template <int N> bool packs_fit(std::initializer_list<View> views) {
    for (const View& view : views) {
        const auto address = reinterpret_cast<std::uintptr_t>(view.data);
        if (view.size(2) % N != 0 || view.stride[0] % N != 0 || address % (N * static_cast<std::uintptr_t>(size_of(view.dtype))) != 0) return false;
    }
    return true;
}
// bfloat16 heads that tensor cores take: up to 256 numbers, at multiples of 16 bytes. With a bias wider ones would not fit the registers.
constexpr std::int64_t kWidestBiased = 64;
bool tensor_takes(std::initializer_list<View> views);

AttentionShape attention_shape(const View& q, const View& k, const View& v, const View& out, const View& lse, const AttentionRule& rule);

}  // namespace temper::cuda
