// main() of the tests that run on a GPU: without one they are skipped, by ctest's code for that.
#include <cstdio>

#include <gtest/gtest.h>

#include "kernels/cuda/runtime.h"

int main(int argc, char** argv) {
    constexpr int kSkipped = 77;
    testing::InitGoogleTest(&argc, argv);
    if (temper::cuda::device_count() == 0) {
        std::printf("no CUDA device: skipped\n");
        return kSkipped;
    }
    return RUN_ALL_TESTS();
}
