// Accesses that are refused, each beside a twin that is right: bounds, alignment, memory that nobody wrote, asynchronous copies, races.
#include "tests/cuda/common.h"

namespace temper::cuda {
namespace {

__device__ int thread() { return static_cast<int>(threadIdx.x); }
__device__ int block() { return static_cast<int>(blockIdx.x); }

__global__ void write_at(Global<int> out, std::int64_t index) {
    if (thread() == 3 && block() == 1) out[index] = 1;
}
__global__ void read_at(Global<const int> in, std::int64_t offset, std::int64_t index) {
    if (thread() != 3 || block() != 1) return;
    const int value = (in + offset)[index];
    if (value == 12345) __syncwarp();
}
__global__ void shared_at(int count, int index) {
    const Shared<float> memory = shared<float>(16, count);
    if (thread() == 0) memory[index] = 1.0f;
}
__global__ void shared_range(int byte_offset, int count) { shared<float>(byte_offset, count); }

template <int N> __global__ void packs(Global<bf16> out, Global<const bf16> in, std::int64_t from, std::int64_t to) {
    if (thread() == 0) store_pack<N>(out, to, load_pack<N>(in, from));
}
__global__ void shared_pack(int index) {
    const Shared<float> memory = shared<float>(0, 64);
    const Pack<float, 4> pack = {{1, 2, 3, 4}};
    if (thread() == 0) store_pack(memory, index, pack);
}
__global__ void copy_pack(Global<const bf16> in, int to, std::int64_t from, bool valid) {
    const Shared<bf16> memory = shared<bf16>(0, 64);
    if (thread() == 0) copy_async16(memory, to, in, from, valid);
    copy_async_commit();
    copy_async_wait<0>();
}
__global__ void matrix_rows(int index) {
    const Shared<bf16> memory = shared<bf16>(0, 512);
    for (int i = thread(); i < 512; i += kWarp) memory[i] = 0;
    __syncwarp();
    std::uint32_t r[4];
    load_matrix_x4(r, memory, index);
}

__global__ void reads_unwritten(Global<float> out, int written) {
    const Shared<float> memory = shared<float>(0, 64);
    if (thread() < written) memory[thread()] = 1.0f;
    __syncthreads();
    out[thread()] = memory[thread()];
}
// The second block finds what the first one left, unless that is seen.
__global__ void reads_of_another_block(Global<float> out) {
    const Shared<float> memory = shared<float>(0, 64);
    if (block() == 0) memory[thread()] = 1.0f;
    const float value = memory[thread()];
    out[block() * 64 + thread()] = value;
}

enum class Wait { none, group_before, all, uncommitted };
__global__ void copies(Global<float> out, Global<const float> in, Wait wait, bool barrier, int shift) {
    const Shared<float> memory = shared<float>(0, 256);
    for (int i = 0; i < 4; ++i) memory[thread() * 4 + i] = 0.0f;
    __syncthreads();
    copy_async16(memory, thread() * 4, in, thread() * 4, true);
    if (wait != Wait::uncommitted) copy_async_commit();
    if (wait == Wait::group_before) copy_async_wait<1>();
    if (wait == Wait::all || wait == Wait::uncommitted) copy_async_wait<0>();
    if (barrier) __syncthreads();
    const int at = (thread() + shift) % 64 * 4;
    const Pack<float, 4> pack = load_pack<4>(memory, at);
    store_pack(out, at, pack);
}
__global__ void copies_zeros(Global<float> out, Global<const float> in) {
    const Shared<float> memory = shared<float>(0, 128);
    copy_async16(memory, thread() * 4, in, thread() < 16 ? thread() * 4 : 1 << 20, thread() < 16);
    copy_async_commit();
    copy_async_wait<0>();
    store_pack(out, thread() * 4, load_pack<4>(memory, thread() * 4));
}
// The target of a copy is written while the copy is under way.
__global__ void writes_under_copy(Global<const float> in) {
    const Shared<float> memory = shared<float>(0, 256);
    copy_async16(memory, thread() * 4, in, thread() * 4, true);
    if (thread() == 9) memory[37] = 1.0f;
    copy_async_commit();
    copy_async_wait<0>();
}

enum class Sync { none, warp, shuffle, block };
__device__ void synchronize(Sync how) {
    if (how == Sync::warp) __syncwarp();
    if (how == Sync::shuffle) __any_sync(kFullWarp, 1);
    if (how == Sync::block) __syncthreads();
}
// Each thread writes its own number and reads that of another.
__global__ void read_after_write(Global<int> out, Sync how, int other) {
    const Shared<int> memory = shared<int>(0, 64);
    memory[thread()] = 0;
    __syncthreads();
    memory[thread()] = thread();
    synchronize(how);
    const int value = memory[thread() ^ other];
    out[thread()] = value;
}
__global__ void write_after_read(Global<int> out, Sync how, int other) {
    const Shared<int> memory = shared<int>(0, 64);
    memory[thread()] = thread();
    __syncthreads();
    const int value = memory[thread() ^ other];
    synchronize(how);
    memory[thread()] = value;
    out[thread()] = value;
}
__global__ void write_after_write(Sync how, int other) {
    const Shared<int> memory = shared<int>(0, 64);
    memory[thread()] = 0;
    synchronize(how);
    memory[thread() ^ other] = 1;
}
// Two readers; one of them, or a third thread, writes.
__global__ void write_after_readers(int first, int second, int writer, Sync how) {
    const Shared<int> memory = shared<int>(0, 1);
    if (thread() == 0) memory[0] = 7;
    __syncthreads();
    int value = 0;
    if (thread() == first || thread() == second) value = memory[0];
    synchronize(how);
    if (thread() == writer) memory[0] = value;
}
// Halves of a word belong to different threads.
__global__ void neighbours(Global<bf16> out) {
    const Shared<bf16> memory = shared<bf16>(0, 64);
    memory[thread()] = static_cast<bf16>(thread());
    const bf16 value = memory[thread()];
    out[thread()] = value;
}

// Each thread of the grid writes its number and reads that of another thread or block.
__global__ void global_exchange(Global<int> numbers, bool barrier, int other_thread, int other_block) {
    const int count = static_cast<int>(blockDim.x);
    numbers[block() * count + thread()] = thread();
    if (barrier) __syncthreads();
    const int value = numbers[(block() ^ other_block) * count + (thread() ^ other_thread)];
    if (value < 0) __syncwarp();
}
// Block 0 writes what all blocks read, through another view of the same memory.
__global__ void global_write_after_read(Global<int> out, Global<const int> in, bool apart) {
    const int value = in[thread()];
    if (block() == 0) out[thread() + (apart ? 64 : 0)] = value + 1;
}
// Every block reads, one of them writes what it has read.
__global__ void one_block_writes(Global<int> numbers, int writer) {
    if (thread() != 0) return;
    const int value = numbers[0];
    if (block() == writer) numbers[0] = value + 1;
}
__global__ void blocks_write_the_same(Global<int> out) {
    if (thread() == 0) out[block() / 2] = 1;
}
// In place, each thread its own number.
__global__ void in_place(Global<int> out, Global<const int> in) {
    const int i = block() * static_cast<int>(blockDim.x) + thread(), value = in[i];
    out[i] = value + 1;
}

}  // namespace
}  // namespace temper::cuda

namespace temper::test {
namespace {

using cuda::Sync;
using cuda::Wait;

TEST(Memory, GlobalBounds) {
    const OnDevice<int> memory(10);
    EXPECT_EQ(refusal(cuda::write_at, {2}, 32, 0, memory, 9), "");
    EXPECT_TRUE(says(refusal(cuda::write_at, {2}, 32, 0, memory, 10), {"block (1, 0, 0), thread 3", "global", "index 10, of 10"}));
    EXPECT_TRUE(says(refusal(cuda::write_at, {2}, 32, 0, memory, -1), {"index -1, of 10"}));
    EXPECT_EQ(refusal(cuda::read_at, {2}, 32, 0, memory, 12, -3), "");  // an offset moves the index alone
    EXPECT_TRUE(says(refusal(cuda::read_at, {2}, 32, 0, memory, 4, 6), {"block (1, 0, 0), thread 3", "index 10, of 10"}));
    EXPECT_TRUE(says(refusal(cuda::read_at, {2}, 32, 0, cuda::Global<const int>(), 0, 0), {"index 0, of 0"}));
}

TEST(Memory, GlobalIsDeviceMemory) {
    std::vector<int> host(4);
    EXPECT_THROW(cuda::Global<int>(host.data(), 4), Error);
    const OnDevice<int> memory(4);
    EXPECT_THROW(cuda::Global<int>(memory.data(), 5), Error);
    EXPECT_NO_THROW(cuda::Global<int>(memory.data() + 3, 1));
}

TEST(Memory, DeviceCodeRunsInKernelsAlone) {
    EXPECT_THROW(cuda::__syncthreads(), Error);
    EXPECT_THROW(cuda::shared<int>(0, 1), Error);
}

TEST(Memory, SharedBounds) {
    EXPECT_EQ(refusal(cuda::shared_at, {1}, 32, 16 + 40, 10, 9), "");
    EXPECT_TRUE(says(refusal(cuda::shared_at, {1}, 32, 16 + 40, 10, 10), {"thread 0", "shared", "index 10, of 10"}));
    EXPECT_TRUE(says(refusal(cuda::shared_at, {1}, 32, 16 + 40, 10, -1), {"index -1"}));
    EXPECT_TRUE(says(refusal(cuda::shared_at, {1}, 32, 16 + 39, 10, 0), {"end at byte 56, the launch gave 55"}));
    EXPECT_EQ(refusal(cuda::shared_range, {1}, 32, 64, 48, 4), "");
    EXPECT_TRUE(says(refusal(cuda::shared_range, {1}, 32, 64, 8, 1), {"from byte 8, expected a multiple of 16"}));
}

TEST(Memory, Alignment) {
    const OnDevice<bf16> out(64), in(64);
    EXPECT_EQ(refusal(cuda::packs<8>, {1}, 32, 0, out, in, 8, 16), "");
    EXPECT_TRUE(says(refusal(cuda::packs<8>, {1}, 32, 0, out, in, 4, 16), {"16 bytes at index 4"}));
    EXPECT_TRUE(says(refusal(cuda::packs<4>, {1}, 32, 0, out, in, 4, 2), {"8 bytes at index 2"}));
    EXPECT_TRUE(says(refusal(cuda::packs<8>, {1}, 32, 0, out, in, 8, 60), {"index 60 (and 7 behind it), of 64"}));
    EXPECT_TRUE(says(refusal(cuda::packs<2>, {1}, 32, 0, cuda::Global<bf16>(out.data() + 1, 8), in, 0, 0), {"4 bytes at index 0"}));
    EXPECT_EQ(refusal(cuda::shared_pack, {1}, 32, 256, 4), "");
    EXPECT_TRUE(says(refusal(cuda::shared_pack, {1}, 32, 256, 6), {"shared", "16 bytes at index 6"}));
    EXPECT_EQ(refusal(cuda::copy_pack, {1}, 32, 128, in, 8, 8, true), "");
    EXPECT_TRUE(says(refusal(cuda::copy_pack, {1}, 32, 128, in, 4, 8, true), {"shared", "16 bytes at index 4"}));
    EXPECT_TRUE(says(refusal(cuda::copy_pack, {1}, 32, 128, in, 8, 12, true), {"global", "16 bytes at index 12"}));
    EXPECT_EQ(refusal(cuda::matrix_rows, {1}, 32, 1024, 8), "");
    EXPECT_TRUE(says(refusal(cuda::matrix_rows, {1}, 32, 1024, 4), {"shared", "16 bytes at index 4"}));
}

TEST(Memory, SharedMemoryThatNobodyWrote) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    const OnDevice<float> out(128);
    EXPECT_EQ(refusal(cuda::reads_unwritten, {1}, 64, 256, out, 64), "");
    EXPECT_TRUE(says(refusal(cuda::reads_unwritten, {1}, 64, 256, out, 63), {"thread 63", "reads byte 252", "has not written yet"}));
    EXPECT_EQ(refusal(cuda::reads_of_another_block, {1}, 64, 256, out), "");
    EXPECT_TRUE(says(refusal(cuda::reads_of_another_block, {2}, 64, 256, out), {"block (1, 0, 0)", "has not written yet"}));
}

TEST(Memory, AsynchronousCopies) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    std::vector<float> numbers(256);
    for (std::size_t i = 0; i < 256; ++i) numbers[i] = static_cast<float>(i);
    const OnDevice<float> in(numbers), out(256);
    EXPECT_EQ(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::all, true, 5), "");
    EXPECT_EQ(out.values(), numbers);
    EXPECT_EQ(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::all, false, 0), "");  // its own copies
    EXPECT_TRUE(says(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::all, false, 5), {"race in shared memory"}));
    EXPECT_TRUE(says(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::none, true, 0), {"asynchronously", "has not waited"}));
    EXPECT_TRUE(says(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::group_before, true, 5), {"asynchronously", "has not waited"}));
    EXPECT_TRUE(says(refusal(cuda::copies, {1}, 64, 1024, out, in, Wait::uncommitted, true, 0), {"asynchronously", "has not waited"}));
    EXPECT_TRUE(says(refusal(cuda::writes_under_copy, {1}, 64, 1024, in), {"thread 9 copies asynchronously"}));
}

// Without traces, what was not waited for is seen by its numbers.
TEST(Memory, AForgottenWaitWithFastChecks) {
    if (cuda::emulation::checks_are_full()) GTEST_SKIP() << "full checks";
    const OnDevice<float> in(std::vector<float>(256, 3.0f)), out(256);
    run(cuda::copies, {1}, 64, 1024, out, in, Wait::none, true, 0);
    for (const float value : out.values()) EXPECT_EQ(value, 0.0f);
    run(cuda::copies, {1}, 64, 1024, out, in, Wait::all, true, 0);
    for (const float value : out.values()) EXPECT_EQ(value, 3.0f);
}

TEST(Memory, AsynchronousZeros) {
    const OnDevice<float> in(std::vector<float>(64, 3.0f)), out(128);
    run(cuda::copies_zeros, {1}, 32, 512, out, in);
    for (std::size_t i = 0; i < 128; ++i) EXPECT_EQ(out.values()[i], i < 64 ? 3.0f : 0.0f);
}

// Lanes 0 and 1 are of one warp, threads 0 and 32 are not.
TEST(Races, SharedMemory) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    const OnDevice<int> out(64);
    const auto read = [&](Sync how, int other) { return refusal(cuda::read_after_write, {1}, 64, 256, out, how, other); };
    const auto write = [&](Sync how, int other) { return refusal(cuda::write_after_read, {1}, 64, 256, out, how, other); };
    const auto twice = [&](Sync how, int other) { return refusal(cuda::write_after_write, {1}, 64, 256, how, other); };
    for (const int other : {1, 32}) {
        EXPECT_EQ(read(Sync::block, other), "");
        EXPECT_EQ(write(Sync::block, other), "");
        EXPECT_EQ(twice(Sync::block, other), "");
        for (const Sync how : {Sync::none, Sync::shuffle}) {  // a vote orders no memory
            EXPECT_TRUE(says(read(how, other), {"race in shared memory: ", "block (0, 0, 0), thread", "byte"}));
            EXPECT_TRUE(says(write(how, other), {"race in shared memory: ", "block (0, 0, 0), thread", "byte"}));
            EXPECT_TRUE(says(twice(how, other), {"race in shared memory: writes byte", "wrote with no"}));
        }
    }
    EXPECT_EQ(read(Sync::warp, 1), "");
    EXPECT_EQ(write(Sync::warp, 1), "");
    EXPECT_EQ(twice(Sync::warp, 1), "");
    EXPECT_TRUE(says(read(Sync::warp, 32), {"race"}));
    EXPECT_TRUE(says(write(Sync::warp, 32), {"race"}));
    EXPECT_TRUE(says(twice(Sync::warp, 32), {"race"}));
    EXPECT_EQ(read(Sync::none, 0), "");  // a thread's own numbers need nothing
}

TEST(Races, OneOfTwoReadersWrites) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    const auto refused = [](int first, int second, int writer, Sync how) {
        return refusal(cuda::write_after_readers, {1}, 64, 16, first, second, writer, how);
    };
    for (const int writer : {1, 2, 3}) {
        EXPECT_TRUE(says(refused(1, 2, writer, Sync::none), {"race in shared memory", "byte 0"})) << writer;
        EXPECT_EQ(refused(1, 2, writer, Sync::warp), "") << writer;
    }
    for (const int writer : {1, 2, 40, 41}) {
        EXPECT_TRUE(says(refused(1, 40, writer, Sync::warp), {"race in shared memory", "byte 0"})) << writer;
        EXPECT_EQ(refused(1, 40, writer, Sync::block), "") << writer;
    }
    EXPECT_EQ(refused(40, 40, 40, Sync::none), "");
}

TEST(Races, HalvesOfAWordAreApart) { run(cuda::neighbours, {1}, 64, 128, OnDevice<bf16>(64)); }

TEST(Races, GlobalMemory) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    const OnDevice<int> memory(256);
    EXPECT_EQ(refusal(cuda::global_exchange, {4}, 64, 0, memory, false, 0, 0), "");
    EXPECT_EQ(refusal(cuda::global_exchange, {4}, 64, 0, memory, true, 33, 0), "");
    EXPECT_TRUE(says(refusal(cuda::global_exchange, {4}, 64, 0, memory, false, 33, 0), {"race in global memory", "__syncthreads"}));
    EXPECT_TRUE(says(refusal(cuda::global_exchange, {4}, 64, 0, memory, true, 0, 1), {"race in global memory", "no launch between"}));
}

TEST(Races, BetweenBlocks) {
    if (!cuda::emulation::checks_are_full()) GTEST_SKIP() << "fast checks";
    const OnDevice<int> memory(std::vector<int>(128, 0));
    EXPECT_TRUE(says(refusal(cuda::global_write_after_read, {3}, 64, 0, memory, memory, false), {"race in global memory", "no launch between"}));
    EXPECT_EQ(refusal(cuda::global_write_after_read, {3}, 64, 0, memory, memory, true), "");
    EXPECT_EQ(refusal(cuda::global_write_after_read, {1}, 64, 0, memory, memory, false), "");
    for (int writer = 0; writer < 5; ++writer)
        EXPECT_TRUE(says(refusal(cuda::one_block_writes, {5}, 64, 0, memory, writer), {"race in global memory", "no launch between"})) << writer;
    EXPECT_EQ(refusal(cuda::one_block_writes, {5}, 64, 0, memory, 5), "");
    EXPECT_TRUE(says(refusal(cuda::blocks_write_the_same, {4}, 32, 0, memory), {"race in global memory: writes byte", "wrote"}));
    EXPECT_EQ(refusal(cuda::blocks_write_the_same, {1}, 32, 0, memory), "");
    EXPECT_EQ(refusal(cuda::in_place, {2}, 64, 0, memory, memory), "");
    EXPECT_EQ(refusal(cuda::in_place, {2}, 64, 0, memory, memory), "");  // launches are ordered
}

}  // namespace
}  // namespace temper::test
