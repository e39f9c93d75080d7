// The one file of these tests that differs between the real AMX units and emulated ones (TEMPER_AMX_EMULATED).
#include <cstdio>

#include <gtest/gtest.h>

#include "tests/kernels/common.h"

namespace temper::test {

std::vector<Isa> all_isas() {
#ifdef TEMPER_AMX_EMULATED
    return {Isa::amx};  // the others are tested elsewhere
#else
    if (kDevice == Device::cuda) return {best_isa()};  // one way to run
    return {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx};
#endif
}

namespace {
#ifdef TEMPER_AMX_EMULATED
TEST(AmxEmulation, RunsHere) {
    if (best_isa() < Isa::amx) GTEST_SKIP() << "this processor has no AVX512_BF16: nothing of AMX was tested";
}
#endif

}  // namespace

const std::vector<Isa>& isas() {
    static const std::vector<Isa> found = [] {
        std::vector<Isa> list;
        for (const Isa isa : all_isas()) {
            if (isa <= best_isa()) list.push_back(isa);
            else std::printf("[ skipped  ] %s: not on this machine\n", name_of(isa));
        }
        return list;
    }();
    return found;
}

}  // namespace temper::test
