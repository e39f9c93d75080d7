// Device memory and the queue of the emulation: what is held against its rules, and when numbers arrive.
#include <cmath>

#include "kernels/cuda/tables.h"
#include "kernels/peak.h"
#include "tests/cuda/common.h"

namespace temper::test {
namespace {

TEST(Runtime, OneDevice) {
    EXPECT_EQ(cuda::device_count(), 1);
    const cuda::DeviceProperties before = cuda::properties(0);
    EXPECT_EQ(before.name, "emulated");
    const OnDevice<char> memory(1 << 20);
    EXPECT_EQ(cuda::properties(0).free_bytes, before.free_bytes - (1 << 20));
    EXPECT_THROW(cuda::properties(1), Error);
}

TEST(Runtime, PeakOfTheDevice) {
    Stream stream(std::make_unique<cuda::Context>(0), 1);
    const std::size_t before = cuda::properties(0).free_bytes;
    for (const DType dtype : {DType::bf16, DType::f32}) EXPECT_GT(peak_flops(stream, dtype), 1e6);
    EXPECT_GT(copy_bandwidth(stream), 1e6);
    EXPECT_EQ(cuda::properties(0).free_bytes, before);
    Stream host(1);
    EXPECT_THROW(copy_bandwidth(host), Error);
}

TEST(Runtime, NewMemoryIsNan) {
    const OnDevice<float> memory(1000);
    for (const float value : memory.values()) EXPECT_TRUE(std::isnan(value));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % 256, 0u);
}

TEST(Runtime, OutOfMemory) {
    try {
        cuda::allocate(std::size_t{81} << 30);
        FAIL();
    } catch (const Error& error) {
        EXPECT_TRUE(says(error.what(), {"out of device memory: 82944 MiB", "micro_batch_tokens"}));
    }
}

TEST(Runtime, ReleaseOfWhatIsNotOurs) {
    cuda::Context context(0);
    int mine = 0;
    cuda::release(nullptr);
    EXPECT_NO_THROW(context.synchronize());
    cuda::release(&mine);
    EXPECT_THROW(context.synchronize(), Error);
    void* const pinned = cuda::allocate_host(64);
    cuda::release(pinned);  // of the other kind
    EXPECT_THROW(context.synchronize(), Error);
    cuda::release_host(pinned);
    EXPECT_NO_THROW(context.synchronize());
    void* const memory = cuda::allocate(64);
    cuda::release(memory);
    cuda::release(memory);
    EXPECT_THROW(context.synchronize(), Error);
}

TEST(Runtime, CopiesStayInTheirMemory) {
    cuda::Context context(0);
    const OnDevice<int> a(std::vector<int>{1, 2, 3, 4}), b(4);
    std::vector<int> host = {5, 6, 7, 8};
    EXPECT_THROW(context.copy_in(b.data() + 1, host.data(), 16), Error);
    EXPECT_THROW(context.copy_in(host.data(), host.data(), 16), Error);
    EXPECT_THROW(context.copy_out(host.data(), b.data() - 1, 16), Error);
    EXPECT_THROW(context.copy_across(b.data(), host.data(), 16), Error);
    EXPECT_THROW(context.fill_zero(b.data(), 17), Error);
    context.copy_across(b.data(), a.data(), 16);
    EXPECT_EQ(b.values(), a.values());
    context.copy_in(b.data(), host.data(), 8);
    EXPECT_EQ(b.values(), (std::vector<int>{5, 6, 3, 4}));
    context.fill_zero(b.data() + 1, 8);
    EXPECT_EQ(b.values(), (std::vector<int>{5, 0, 0, 4}));
}

TEST(Runtime, NumbersArriveWithSynchronize) {
    cuda::Context context(0);
    const OnDevice<int> memory(std::vector<int>{1, 2});
    std::vector<int> host = {0, 0};
    context.copy_out(host.data(), memory.data(), 8);
    context.fill_zero(memory.data(), 8);  // later in the queue
    EXPECT_EQ(host, (std::vector<int>{0, 0}));
    context.synchronize();
    EXPECT_EQ(host, (std::vector<int>{1, 2}));
}

TEST(Runtime, PinnedMemoryIsLeftAloneUntilSynchronize) {
    cuda::Context context(0);
    const OnDevice<int> memory(2);
    auto* const pinned = static_cast<int*>(cuda::allocate_host(8));
    pinned[0] = pinned[1] = 1;
    context.copy_in(memory.data(), pinned, 8);
    EXPECT_NO_THROW(context.synchronize());
    pinned[0] = 2;
    context.copy_in(memory.data(), pinned, 8);
    pinned[0] = 3;
    EXPECT_THROW(context.synchronize(), Error);
    EXPECT_NO_THROW(context.synchronize());
    cuda::release_host(pinned);
}

TEST(Runtime, ScratchIsFreshForEachOp) {
    cuda::Context context(0);
    auto* const first = static_cast<float*>(context.scratch(400));
    first[0] = 1.0f;
    EXPECT_TRUE(std::isnan(*static_cast<float*>(context.scratch(100))));
    EXPECT_EQ(context.scratch_bytes(), 400u);
    context.scratch(800);
    EXPECT_EQ(context.scratch_bytes(), 800u);
}

TEST(Tables, EqualTablesAreSentOnce) {
    cuda::Context context(0);
    const std::vector<int> a = {1, 2, 3}, b = {1, 2, 4};
    const void* const first = context.upload(a.data(), 12);
    EXPECT_EQ(context.upload(std::vector<int>(a).data(), 12), first);
    EXPECT_NE(context.upload(b.data(), 12), first);
    EXPECT_NE(context.upload(a.data(), 8), first);
    EXPECT_EQ(std::memcmp(first, a.data(), 12), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(context.upload(b.data(), 4)) % 16, 0u);
    context.synchronize();
    EXPECT_NE(std::memcmp(first, a.data(), 12), 0);  // who keeps it reads nonsense
    EXPECT_EQ(context.upload(nullptr, 0), nullptr);
}

TEST(Tables, TheRingGoesRound) {
    cuda::Context context(0);
    std::vector<int> table(50000);
    const std::vector<int> large(400000, 9);
    std::vector<const void*> last;
    for (int i = 0; i < 100; ++i) {
        table[0] = i;
        const void* const before = context.upload(large.data(), large.size() * 4);  // stays where the ring begins anew
        const void* const sent = context.upload(table.data(), table.size() * 4);
        EXPECT_EQ(*static_cast<const int*>(sent), i);
        EXPECT_EQ(*static_cast<const int*>(before), 9);
        if (i > 0) {
            EXPECT_EQ(*static_cast<const int*>(last.back()), i - 1);
        }
        last.push_back(sent);
    }
}

}  // namespace
}  // namespace temper::test
