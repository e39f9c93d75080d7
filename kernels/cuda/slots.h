// The adapters of a linear as kernels read them.
#pragma once
#include "kernels/cuda/bordered.h"
#include "kernels/cuda/launch.h"

namespace temper::cuda {

struct Slot {
    std::int64_t offset_a, offset_b, offset_m;  // in the parameters, and in a leaf's row of gradients
    std::int64_t out_begin, out_size, rank, rank_begin;
    float scale;
    std::int32_t module;
};

inline std::vector<Slot> slots_of(const PreparedLinear::Impl& weight) {
    std::vector<Slot> slots;
    for (std::size_t i = 0; i < weight.adapters.size(); ++i) {
        const AdapterSlot& a = weight.adapters[i];
        slots.push_back({a.offset_a, a.offset_b, a.offset_m, a.out_begin, a.out_size, a.rank, weight.rank_begin[i], a.scale,
                         static_cast<std::int32_t>(a.module)});
    }
    return slots;
}

// Column j of the border to the slot that it belongs to; `count` slots, of which the last one's ranks end the border.
__device__ inline int slot_of_rank(Global<const Slot> slots, int count, std::int64_t j) {
    for (int i = 0; i < count; ++i) {
        const Slot slot = slots[i];
        if (j < slot.rank_begin + slot.rank) return i;
    }
    return -1;
}

}  // namespace temper::cuda
