// What the process has taken of a device and of pinned memory.
#include <algorithm>

#include "tests/cuda/common.h"

namespace temper::test {
namespace {

TEST(MemoryUse, CountsWhatIsHeldAndTheMostOfIt) {
    const cuda::MemoryUse before = cuda::memory_use();
    void* const a = cuda::allocate(1000);
    void* const b = cuda::allocate(500);
    cuda::release(a);
    void* const c = cuda::allocate(200);
    void* const host = cuda::allocate_host(64);
    const cuda::MemoryUse now = cuda::memory_use();
    EXPECT_EQ(now.device, before.device + 700);
    EXPECT_EQ(now.most_device, std::max(before.most_device, before.device + 1500));
    EXPECT_EQ(now.pinned, before.pinned + 64);
    EXPECT_EQ(now.device_allocations, before.device_allocations + 3);
    cuda::release(b), cuda::release(c), cuda::release(nullptr);
    cuda::release_host(host);
    EXPECT_EQ(cuda::memory_use().device, before.device);
    EXPECT_EQ(cuda::memory_use().pinned, before.pinned);
}

TEST(MemoryUse, OfAContext) {
    const cuda::MemoryUse before = cuda::memory_use();
    cuda::Context context(0);
    context.scratch(4096);
    context.run_recorded([] {});  // recordings have memory of their own
    const cuda::MemoryUse now = cuda::memory_use(), held = cuda::Context::held();
    EXPECT_EQ(now.device - before.device, held.device + 4096);
    EXPECT_EQ(now.pinned - before.pinned, held.pinned);
}

}  // namespace
}  // namespace temper::test
