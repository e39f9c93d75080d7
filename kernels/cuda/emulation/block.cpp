#include "kernels/cuda/emulation/block.h"

#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/cuda/emulation/access.h"
#include "kernels/cuda/emulation/copy_async.h"
#include "kernels/error.h"

namespace temper::cuda {
thread_local constinit emulation::Index threadIdx, blockIdx, blockDim, gridDim;
}

namespace temper::cuda::emulation {

thread_local constinit Block* running_block = nullptr;

namespace {

// Multipliers of permutations i -> (i * step + shift) % count; as primes they have no divisor in common with a number of threads (whole warps).
constexpr unsigned kSteps[] = {1021, 613, 1009, 397, 769, 877};

// The same for blocks: the first step from a fraction of the golden ratio that shares no divisor with their number.
std::int64_t step_over(std::int64_t count) {
    std::int64_t step = count * 5 / 8 + 1;
    while (std::gcd(step, count) != 1) ++step;
    return step;
}

constexpr std::uint32_t kLastTick = 0xf0000000u;  // of a launch's beginning; traces hold 32 bits

std::string block_name(const Index& block) { return fmt::format("block ({}, {}, {})", block.x, block.y, block.z); }

}  // namespace

const char* name_of(Call call) {
    switch (call) {
        case Call::none: return "nothing";
        case Call::barrier: return "__syncthreads";
        case Call::sync_warp: return "__syncwarp";
        case Call::shuffle: return "__shfl_sync";
        case Call::shuffle_xor: return "__shfl_xor_sync";
        case Call::shuffle_down: return "__shfl_down_sync";
        case Call::ballot: return "__ballot_sync";
        case Call::any: return "__any_sync";
        case Call::all: return "__all_sync";
        case Call::load_matrix: return "load_matrix_x4";
        case Call::multiply_add: return "multiply_add";
    }
    return "unknown";
}

void throw_outside_kernel() { throw_error(ExitCode::internal, "emulated CUDA: device code was called outside a kernel"); }

void fail(const std::string& what) { throw_error(ExitCode::internal, "emulated CUDA: {}: {}", running().place(), what); }

Thread::Thread() : copies(std::make_unique<Copies>()) {}
Thread::~Thread() = default;

Block::Block() : shared_(static_cast<unsigned char*>(std::aligned_alloc(1024, kMostSharedBytes + 1024)), std::free) {}
Block::~Block() = default;

Block& Block::of_os_thread() {
    static thread_local Block block;
    return block;
}

std::string Block::place() const { return fmt::format("{}, thread {}", block_name(blockIdx), self_->index.x); }

Index Block::block_at(std::int64_t ordinal) const {
    const std::int64_t x = gridDim.x, y = gridDim.y, count = x * y * gridDim.z;
    const std::int64_t i = (ordinal % count * step_over(count) + count / 3) % count;
    return {static_cast<unsigned>(i % x), static_cast<unsigned>(i / x % y), static_cast<unsigned>(i / x / y)};
}

std::string Block::place_of(unsigned thread, std::uint32_t tick) const {
    std::size_t ordinal = 0;
    while (ordinal + 1 < begins_.size() && begins_[ordinal + 1] <= tick) ++ordinal;
    return fmt::format("{}, thread {}", block_name(block_at(static_cast<std::int64_t>(ordinal))), thread);
}

void Block::run_grid(const std::array<std::int64_t, 3>& grid, int threads, int shared_bytes, Body body, const void* context) {
    if (running_) throw_error(ExitCode::internal, "emulated CUDA: a kernel launches a kernel");
    count_ = static_cast<unsigned>(threads);
    while (threads_.size() < count_) threads_.push_back(std::make_unique<Thread>());
    warps_.resize(count_ / kLanes);
    shared_bytes_ = shared_bytes;
    body_ = body;
    context_ = context;
    checked_ = checks_are_full();
    blockDim = {count_, 1, 1};
    gridDim = {static_cast<unsigned>(grid[0]), static_cast<unsigned>(grid[1]), static_cast<unsigned>(grid[2])};
    if (checked_ && now_ > kLastTick)
        throw_error(ExitCode::internal, "emulated CUDA: the clock of the checks has run out; set TEMPER_EMULATION_CHECKS=fast for a run this long");
    launch_began_ = ++now_;
    begins_.clear();
    running_ = true;
    running_block = this;
    const std::int64_t blocks = grid[0] * grid[1] * grid[2];
    for (std::int64_t ordinal = 0; ordinal < blocks && !error_; ++ordinal) run_block(ordinal);
    running_ = false;
    running_block = nullptr;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Block::run_block(std::int64_t ordinal) {
    blockIdx = block_at(ordinal);
    block_began_ = barrier_tick_ = ++now_;
    begins_.push_back(now_);
    std::memset(shared_.get(), 0xff, static_cast<std::size_t>(shared_bytes_));
    at_barrier_ = ended_ = 0;
    for (Warp& warp : warps_) warp.arrived = warp.ended = 0;
    for (unsigned t = 0; t < count_; ++t) {
        Thread& thread = *threads_[t];
        thread.index = {t, 0, 0};
        thread.lane = t % kLanes;
        thread.warp = &warps_[t / kLanes];
        thread.waits_in = Call::none;
        thread.ended = false;
        thread.copies->clear();
        thread.fiber.start(run_thread, this, t);
    }
    ready_.clear();
    make_ready(0, count_, nullptr);
    Fiber::switch_to(host_, next());
    if (!error_ && ended_ < count_) {
        try {
            throw_stuck();
        } catch (...) {
            error_ = std::current_exception();
        }
    }
}

// Threads first .. first + count, in another order every time, but for the one that runs already.
void Block::make_ready(unsigned first, unsigned count, const Thread* but) {
    const unsigned step = kSteps[rounds_ % std::size(kSteps)], shift = rounds_ * 7;
    ++rounds_;
    for (unsigned i = 0; i < count; ++i) {
        Thread& thread = *threads_[first + (i * step + shift) % count];
        thread.waits_in = Call::none;
        if (&thread != but) ready_.push_back(&thread);
    }
}

// Where to go when the running thread cannot: another thread, or the host when none is ready.
Fiber& Block::next() {
    if (ready_.empty() || error_) return host_;
    self_ = ready_.back();
    ready_.pop_back();
    threadIdx = self_->index;
    return self_->fiber;
}

void Block::wait(Call call) {
    self_->waits_in = call;
    Fiber& here = self_->fiber;
    Fiber::switch_to(here, next());
}

void Block::run_thread(void* block) {
    Block& self = *static_cast<Block*>(block);
    try {
        self.body_(self.context_);
        self.end_thread();
    } catch (...) {
        self.error_ = std::current_exception();
    }
    Fiber& here = self.self_->fiber;
    Fiber::leave(here, self.next());
}

void Block::end_thread() {
    self_->ended = true;
    ++ended_;
    Warp& warp = *self_->warp;
    ++warp.ended;
    warp.last_ended = self_->index.x;
    if (warp.arrived > 0) fail(fmt::format("ended, while thread {} of its warp waits in {}", warp.first, name_of(warp.call)));
    if (at_barrier_ > 0) fail(fmt::format("ended, while {} threads of its block wait in __syncthreads", at_barrier_));
}

void Block::barrier() {
    if (ended_ > 0) fail(fmt::format("__syncthreads, which {} threads of its block never reach: they have ended", ended_));
    if (++at_barrier_ < count_) return wait(Call::barrier);
    at_barrier_ = 0;
    barrier_tick_ = ++now_;
    make_ready(0, count_, self_);
}

const WarpWords& Block::meet(Call call, unsigned mask, const LaneWords& brought, Complete complete) {
    Thread& thread = *self_;
    Warp& warp = *thread.warp;
    if (mask != 0xffffffffu) fail(fmt::format("{} with the mask {:#010x}; expected all lanes, kFullWarp", name_of(call), mask));
    if (warp.ended > 0) fail(fmt::format("{}, which thread {} of its warp never reaches: it has ended", name_of(call), warp.last_ended));
    if (warp.arrived == 0) warp.call = call, warp.first = thread.index.x;
    if (warp.call != call) fail(fmt::format("{}, while thread {} of its warp waits in {}", name_of(call), warp.first, name_of(warp.call)));
    WarpWords& words = warp.words[warp.meetings % 2];
    words[thread.lane] = brought;
    if (++warp.arrived < kLanes) {
        wait(call);
        return words;
    }
    warp.arrived = 0;
    ++warp.meetings;
    if (call == Call::sync_warp) warp.tick = ++now_;
    if (complete != nullptr) complete(words);
    make_ready(thread.index.x - thread.lane, kLanes, &thread);
    return words;
}

// No thread is ready and none has ended too early: lanes wait for others of their warp, which wait at a barrier.
void Block::throw_stuck() const {
    const Thread *lane = nullptr, *other = nullptr;
    for (unsigned t = 0; t < count_; ++t)
        if (threads_[t]->waits_in != Call::barrier && !threads_[t]->ended) lane = threads_[t].get();
    for (unsigned t = 0; t < count_; ++t)
        if (lane != nullptr && threads_[t]->warp == lane->warp && threads_[t]->waits_in == Call::barrier) other = threads_[t].get();
    if (lane == nullptr || other == nullptr) throw_error(ExitCode::internal, "emulated CUDA: {}: threads wait for ever", block_name(blockIdx));
    throw_error(ExitCode::internal, "emulated CUDA: {}, thread {}: {}, while thread {} of its warp waits in __syncthreads", block_name(blockIdx),
                lane->index.x, name_of(lane->waits_in), other->index.x);
}

}  // namespace temper::cuda::emulation
