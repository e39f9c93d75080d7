// A block of threads on one OS thread: who runs, who waits for whom. Blocks of a grid run one after another in a permuted order, threads too,
// so that nothing can depend on either.
#pragma once
#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/emulation/fiber.h"

namespace temper::cuda::emulation {

struct Index {
    unsigned x = 0, y = 0, z = 0;
};

// Calls at which threads wait for one another.
enum class Call : std::uint8_t { none, barrier, sync_warp, shuffle, shuffle_xor, shuffle_down, ballot, any, all, load_matrix, multiply_add };
const char* name_of(Call call);

constexpr int kLanes = 32;
constexpr int kMostThreads = 1024;
// Of a block on every compute capability from 8.0 on; 9.0 has 227 KiB.        [CUDA C++ Programming Guide, technical specifications]
constexpr int kMostSharedBytes = 99 * 1024;

using LaneWords = std::array<std::uint32_t, 10>;  // what a lane brings to its warp: up to the operands of a matrix product
using WarpWords = std::array<LaneWords, kLanes>;

// Lanes that have reached the next collective call. A lane reads what the others brought after they met, while some may already be at the
// following call: two sets of words alternate.
struct Warp {
    Call call = Call::none;
    unsigned arrived = 0, ended = 0, meetings = 0;
    unsigned first = 0, last_ended = 0;  // threads
    std::uint32_t tick = 0;              // of the last __syncwarp
    WarpWords words[2];
};

struct Copies;  // copy_async.h

struct Thread {
    Fiber fiber;
    Index index;
    unsigned lane = 0;
    Warp* warp = nullptr;
    Call waits_in = Call::none;
    bool ended = false;
    std::unique_ptr<Copies> copies;  // under way

    Thread();
    ~Thread();
};

// Everything that the running kernel sees of its machine.
class Block {
  public:
    Block();
    ~Block();

    static Block& of_os_thread();

    // body(context) once a thread of each block.
    using Body = void (*)(const void* context);
    void run_grid(const std::array<std::int64_t, 3>& grid, int threads, int shared_bytes, Body body, const void* context);

    // ---- for the running thread
    Thread& self() { return *self_; }
    void barrier();
    // Waits for all lanes of the warp; `complete` runs once, over what they brought, before any goes on.
    using Complete = void (*)(WarpWords&);
    const WarpWords& meet(Call call, unsigned mask, const LaneWords& brought, Complete complete = nullptr);

    unsigned char* shared_memory() { return shared_.get(); }
    int shared_bytes() const { return shared_bytes_; }
    std::string place() const;  // "block (1, 0, 0), thread 7"

    // ---- a clock for the checks of access.h: it counts barriers, __syncwarps and blocks
    bool is_checked() const { return checked_; }
    std::uint32_t now() const { return now_; }
    std::uint32_t launch_began() const { return launch_began_; }
    std::uint32_t block_began() const { return block_began_; }
    std::uint32_t barrier_tick() const { return barrier_tick_; }
    std::string place_of(unsigned thread, std::uint32_t tick) const;  // at a tick of this launch

  private:
    void run_block(std::int64_t ordinal);
    Index block_at(std::int64_t ordinal) const;
    static void run_thread(void* thread);
    void end_thread();
    void wait(Call call);
    Fiber& next();
    void make_ready(unsigned first, unsigned count, const Thread* but);
    [[noreturn]] void throw_stuck() const;

    Fiber host_;
    std::vector<std::unique_ptr<Thread>> threads_;
    std::vector<Warp> warps_;
    std::vector<Thread*> ready_;  // the last runs next
    Thread* self_ = nullptr;
    Body body_ = nullptr;
    const void* context_ = nullptr;
    std::exception_ptr error_;
    unsigned count_ = 0, at_barrier_ = 0, ended_ = 0, rounds_ = 0;
    bool running_ = false;

    std::unique_ptr<unsigned char, void (*)(void*)> shared_;
    int shared_bytes_ = 0;

    bool checked_ = true;
    std::uint32_t now_ = 1, launch_began_ = 1, block_began_ = 1, barrier_tick_ = 1;
    std::vector<std::uint32_t> begins_;  // of the launch's blocks so far
};

// The block whose kernel runs on this OS thread. Error outside kernels.
extern thread_local constinit Block* running_block;
[[noreturn]] void throw_outside_kernel();
inline Block& running() {
    if (running_block == nullptr) throw_outside_kernel();
    return *running_block;
}

// A failing check of the running thread: internal Error that begins with the place.
[[noreturn]] void fail(const std::string& what);

}  // namespace temper::cuda::emulation

namespace temper::cuda {
extern thread_local constinit emulation::Index threadIdx, blockIdx, blockDim, gridDim;
}
