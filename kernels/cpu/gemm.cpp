#include "kernels/cpu/gemm.h"

namespace temper::cpu {

void gemm(Isa isa, const GemmBlock& block) {
    switch (isa) {
        case Isa::scalar: return gemm_scalar(block);
        case Isa::avx2: return gemm_avx2(block);
        case Isa::avx512: return gemm_avx512(block);
        case Isa::avx512_bf16: return gemm_avx512_bf16(block);
        case Isa::amx: return gemm_amx(block);
    }
}

}  // namespace temper::cpu
