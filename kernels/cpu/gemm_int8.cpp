#include "kernels/cpu/gemm_int8.h"

#include <cmath>

#include "kernels/cpu/vector_scalar.h"

#include "kernels/cpu/gemm_int8_body.h"

namespace temper::cpu {
namespace {

struct PlainUnit {
    using Number = std::int8_t;
    static constexpr int rows = 2, panels = 1;

    template <int Rows, int Panels>
    static void sums(std::int32_t (&to)[Rows][Panels * kPanelColumns], const Number* a, std::int64_t a_stride, const std::int8_t* panel, std::int64_t,
                     std::int64_t depth) {
        for (std::int64_t c = 0; c < Rows * kPanelColumns; ++c) {
            const Number* const row = a + c / kPanelColumns * a_stride;
            std::int32_t sum = 0;
            for (std::int64_t k = 0; k < depth; ++k) sum += row[k] * panel[k / 4 * 4 * kPanelColumns + c % kPanelColumns * 4 + k % 4];
            to[c / kPanelColumns][c % kPanelColumns] = sum;
        }
    }
    static Vec floats(const std::int32_t* sums, const std::int32_t*) { return {static_cast<float>(*sums)}; }
    static void store(Vec x, Number* to) { *to = static_cast<Number>(std::nearbyint(x.v)); }
    static void store_wide(Vec x, Number* above, Number* below) {
        const auto whole = static_cast<std::int32_t>(std::nearbyint(x.v)), upper = (whole + 128) >> 8;
        *above = static_cast<Number>(upper), *below = static_cast<Number>(whole - 256 * upper);
    }
};

}  // namespace

const Int8Kernels int8_scalar = make_int8_kernels<PlainUnit>();

const Int8Kernels& int8_kernels(Isa isa) {
    switch (isa) {
        case Isa::scalar: return int8_scalar;
        case Isa::avx2: return int8_avx2;
        case Isa::avx512: return int8_avx512;
        case Isa::avx512_bf16: return int8_vnni_avx512;
        case Isa::amx: break;
    }
    return int8_amx;
}

}  // namespace temper::cpu
