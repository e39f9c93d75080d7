#include <algorithm>
#include <limits>

#include "kernels/cuda/attention_work.h"

namespace temper::cuda {
namespace {

std::int32_t narrow(std::int64_t n) {
    if (n > std::numeric_limits<std::int32_t>::max())
        throw_error(ExitCode::internal, "attention: {} rows of tokens and heads on a CUDA device, expected fewer than 2^31", n);
    return static_cast<std::int32_t>(n);
}

// Rows [first, +count) of a segment against every key that one of them sees, from a whole tile on.
RowWork whole_rows(Span<const Segment> segments, std::size_t index, std::int64_t first, std::int64_t count, const AttentionShape& shape,
                   int key_tile) {
    const Segment& s = segments[index];
    const std::int64_t first_position = first / shape.group, last_position = std::min(s.length, (first + count - 1) / shape.group + 1) - 1;
    const std::int64_t visible = s.prefix_length + first_position + 1, last_visible = shape.causal != 0 ? last_position + 1 : s.length;
    const std::int64_t hidden = shape.window > 0 ? std::max<std::int64_t>(0, visible - shape.window) : 0;
    return {narrow(static_cast<std::int64_t>(index)), narrow(first), narrow(hidden / key_tile * key_tile), narrow(s.prefix_length + last_visible),
            -1};
}

// One piece of work for each split that `rows` see; a slot each where there are several.
void add_splits(RowPlan& plan, const RowWork& rows) {
    const int first = rows.key_begin / kSplitKeys, last = (rows.key_end - 1) / kSplitKeys, count = last - first + 1;
    if (count == 1) return plan.splits.push_back(rows);
    plan.split_rows.push_back({rows.segment, rows.first, plan.slots, count});
    for (int split = first; split <= last; ++split) {
        RowWork part = rows;
        part.key_begin = std::max(rows.key_begin, split * kSplitKeys), part.key_end = std::min(rows.key_end, (split + 1) * kSplitKeys);
        part.slot = plan.slots++;
        plan.splits.push_back(part);
    }
}

void dearest_first(std::vector<RowWork>& work) {
    std::stable_sort(work.begin(), work.end(), [](const RowWork& a, const RowWork& b) { return a.key_end - a.key_begin > b.key_end - b.key_begin; });
}

// Pieces of [begin, end) that are `tile` long, in order.
void cut_tiles(std::vector<KeyWork>& tiles, std::int64_t begin, std::int64_t end, int tile) {
    for (; begin < end; begin += tile) tiles.push_back({narrow(begin), narrow(std::min<std::int64_t>(tile, end - begin)), 0, 0});
}

// The visits of a segment to the tiles that hold keys [begin, end), key `begin` being number `number` in the segment's order.
template <class Add>
void visit_tiles(const std::vector<KeyWork>& tiles, std::size_t segment, std::int64_t begin, std::int64_t end, std::int64_t number, const Add& add) {
    auto tile = std::upper_bound(tiles.begin(), tiles.end(), begin, [](std::int64_t row, const KeyWork& t) { return row < t.first + t.count; });
    for (; tile != tiles.end() && tile->first < end; ++tile) {
        const std::int64_t from = std::max<std::int64_t>(begin, tile->first), to = std::min<std::int64_t>(end, tile->first + tile->count);
        add(static_cast<std::size_t>(tile - tiles.begin()), Visit{narrow(static_cast<std::int64_t>(segment)), narrow(number + tile->first - begin),
                                                                  narrow(from - tile->first), narrow(to - tile->first)});
    }
}

}  // namespace

RowPlan plan_rows(Span<const Segment> segments, const AttentionShape& shape, int tile_rows, int split_tile_rows, int key_tile, bool split_short) {
    RowPlan plan;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::int64_t rows = narrow(segments[i].length * shape.group);
        const bool split = split_short && rows <= kDecodingRows;
        const int tile = split ? split_tile_rows : tile_rows;
        for (std::int64_t first = 0; first < rows; first += tile) {
            const RowWork work = whole_rows(segments, i, first, std::min<std::int64_t>(tile, rows - first), shape, key_tile);
            if (split) add_splits(plan, work);
            else plan.whole.push_back(work);
            plan.several_splits |= !split && work.key_begin / kSplitKeys != (work.key_end - 1) / kSplitKeys;
        }
    }
    dearest_first(plan.whole), dearest_first(plan.splits);
    return plan;
}

KeyPlan plan_keys(Span<const Segment> segments, std::int64_t keys, int group, int tile) {
    KeyPlan plan;
    std::int64_t end = 0;
    for (const Segment& s : segments) {
        cut_tiles(plan.tiles, end, s.begin, tile);
        cut_tiles(plan.tiles, s.begin, s.begin + s.length, tile);
        end = s.begin + s.length;
    }
    cut_tiles(plan.tiles, end, keys, tile);

    const auto for_visits = [&](const auto& add) {
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const Segment& s = segments[i];
            if (s.prefix_length > 0) visit_tiles(plan.tiles, i, s.prefix_begin, s.prefix_begin + s.prefix_length, 0, add);
            if (s.length > 0) visit_tiles(plan.tiles, i, s.begin, s.begin + s.length, s.prefix_length, add);
        }
    };
    // Counted, then stored tile by tile, in the order of the segments. The cost of a visit is its pairs of row and key.
    std::vector<std::int64_t> cost(plan.tiles.size(), 0);
    for_visits([&](std::size_t t, const Visit&) { ++plan.tiles[t].visit_end; });
    std::int32_t total = 0;
    for (KeyWork& t : plan.tiles) {
        const std::int32_t count = t.visit_end;
        t.visit_begin = t.visit_end = total;
        total += count;
    }
    plan.visits.resize(static_cast<std::size_t>(total));
    for_visits([&](std::size_t t, const Visit& visit) {
        const Segment& s = segments[static_cast<std::size_t>(visit.segment)];
        plan.visits[static_cast<std::size_t>(plan.tiles[t].visit_end++)] = visit;
        cost[t] += (s.length - std::max<std::int64_t>(0, visit.offset - s.prefix_length)) * group;
    });
    std::vector<std::size_t> order(plan.tiles.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
    std::vector<KeyWork> sorted;
    sorted.reserve(order.size());
    for (const std::size_t i : order) sorted.push_back(plan.tiles[i]);
    plan.tiles = std::move(sorted);
    return plan;
}

namespace {

constexpr std::size_t kFewestItems = 16;

std::size_t next_power(std::size_t count) {
    std::size_t power = kFewestItems;
    while (power < count) power *= 2;
    return power;
}

// As many tiles as segments of these lengths, so many or a few more, can have.
std::size_t most_tiles(Span<const Segment> segments, int group, int tile) {
    std::int64_t rows = 0;
    for (const Segment& s : segments) rows += s.length * group;
    return static_cast<std::size_t>(rows / tile) + next_power(segments.size());
}

}  // namespace

void fill_up(Stream& stream, RowPlan& plan, Span<const Segment> segments, int group, int tile_rows, int key_tile) {
    if (stream.cuda().recorded() == nullptr) return;
    // Tells lists of other tiles apart, which for some batches would be equal by chance and share a table.
    const RowWork nothing{0, tile_rows, 0, 0, -key_tile};
    if (!plan.whole.empty()) plan.whole.resize(std::max(plan.whole.size(), most_tiles(segments, group, tile_rows)), nothing);
    if (!plan.splits.empty()) plan.splits.resize(next_power(plan.splits.size()), nothing);
    if (plan.split_rows.empty()) return;
    plan.split_rows.resize(next_power(plan.split_rows.size()), SplitRows{0, 0, 0, 0});
    plan.slots = static_cast<int>(next_power(static_cast<std::size_t>(plan.slots)));
}

void fill_up(Stream& stream, KeyPlan& plan, Span<const Segment> segments, int tile) {
    if (stream.cuda().recorded() == nullptr) return;
    plan.tiles.resize(std::max(plan.tiles.size(), most_tiles(segments, 1, tile)), KeyWork{0, 0, 0, 0});
}

std::vector<RowRange> rows_of_nobody(Span<const Segment> segments, std::int64_t tokens) {
    std::vector<RowRange> ranges;
    std::int64_t end = 0;
    for (const Segment& s : segments) {
        if (s.begin > end) ranges.push_back({narrow(end), narrow(s.begin - end)});
        end = s.begin + s.length;
    }
    if (tokens > end) ranges.push_back({narrow(end), narrow(tokens - end)});
    return ranges;
}

bool tensor_takes(std::initializer_list<View> views) {
    for (const View& view : views)
        if (view.dtype != DType::bf16 || view.size(2) > 256) return false;
    return packs_fit<8>(views);
}

AttentionShape attention_shape(const View& q, const View& k, const View& v, const View& out, const View& lse, const AttentionRule& rule) {
    AttentionShape shape;
    shape.q_stride = q.stride[0], shape.k_stride = k.stride[0], shape.v_stride = v.stride[0], shape.out_stride = out.stride[0];
    shape.lse_stride = lse.empty() ? 0 : lse.stride[0];
    shape.kv_heads = narrow(k.size(1)), shape.group = narrow(q.size(1) / k.size(1)), shape.d = narrow(q.size(2));
    shape.group_inverse = ((std::uint64_t{1} << 32) + static_cast<std::uint64_t>(shape.group) - 1) / static_cast<std::uint64_t>(shape.group);
    shape.window = narrow(std::min<std::int64_t>(rule.window, std::numeric_limits<std::int32_t>::max()));
    shape.causal = rule.causal ? 1 : 0;
    const bool capped = rule.softcap > 0.0f;
    const bool biased = !rule.bias.empty();
    shape.factor = (capped ? rule.softcap : biased ? 1.0f : rule.scale) * kLog2e;
    shape.inverse = capped ? rule.scale / rule.softcap : 0.0f;
    shape.scale = rule.scale;
    if (biased) shape.bias_radius = narrow(rule.bias.size(1) / 2), shape.bias_stride = narrow(rule.bias.stride[0]);
    return shape;
}

}  // namespace temper::cuda
