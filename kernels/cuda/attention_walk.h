// Of the backward pass: the rows that see some key of a tile, and where their statistics stand.
#pragma once
#include "kernels/cuda/attention_rows.h"

namespace temper::cuda {

// Tiles of rows, segment by segment, in order.
struct RowWalk {
    int visit, end;  // visits to come begin behind `visit`
    int offset, from, to, last;
    RowTask task;

    __device__ bool valid() const { return visit < end; }
    // Rows before the first and behind the last that see a key of the tile are left out, in whole tiles.
    template <class Arguments> __device__ void enter(const Arguments& args, int tile_rows) {
        for (; visit < end; ++visit) {
            const Visit now = args.visits[visit];
            const Segment segment = args.segments[now.segment];
            task.span = span_of(segment);
            offset = now.offset, from = now.from, to = now.to;
            const int before = task.span.prefix_length, group = args.shape.group, length = task.span.length;
            task.first = max(0, offset + from - before) * group / tile_rows * tile_rows;
            last = length * group;
            // The tile's last key is seen by `window` positions.
            const std::int64_t positions = static_cast<std::int64_t>(offset) + to - 1 - before + args.shape.window;
            if (args.shape.window > 0 && positions < length) last = static_cast<int>(positions) * group;
            if (task.first < last) return;
        }
    }
    template <class Arguments> __device__ void advance(const Arguments& args, int tile_rows) {
        task.first += tile_rows;
        if (task.first < last) return;
        ++visit;
        enter(args, tile_rows);
    }
};

// Number of a segment's row 0 among all rows of (key/value head, token, head of the group).
__device__ inline std::int64_t packed_row(const AttentionShape& shape, int begin, int kv_head, std::int64_t tokens) {
    return (kv_head * tokens + begin) * shape.group;
}

}  // namespace temper::cuda
