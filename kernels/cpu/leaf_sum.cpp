#include "kernels/cpu/leaf_sum.h"

namespace temper::cpu {

void leaf_sum(Isa isa, const LeafSum& sum) {
    switch (isa) {
        case Isa::scalar: return leaf_sum_scalar(sum);
        case Isa::avx2: return leaf_sum_avx2(sum);
        case Isa::avx512: return leaf_sum_avx512(sum);
        case Isa::avx512_bf16: return leaf_sum_avx512_bf16(sum);
        case Isa::amx: return leaf_sum_amx(sum);
    }
}

void leaf_sum_scalar(const LeafSum& g) {
    for (std::int64_t r = 0; r < g.ranks; ++r) {
        for (std::int64_t c = 0; c < g.columns; ++c) {
            float sum = 0.0f;
            for (std::int64_t t = 0; t < g.tokens; ++t) {
                const std::uint32_t pair = g.left[t / 2 * g.left_stride + r];
                const bf16 left = static_cast<bf16>(t % 2 == 0 ? pair & 0xffffu : pair >> 16);
                sum += from_bf16(left) * from_bf16(g.right[t * g.right_stride + c]);
            }
            g.out[r * g.rank_step + c * g.column_step] = sum;
        }
    }
}

}  // namespace temper::cpu
