#include "kernels/cuda/emulation/fiber.h"

#include <cstdint>
#include <cstdlib>

#include <sys/mman.h>

#include "kernels/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

// Saves what the System V ABI for x86-64 (section 3.2.1) has a function keep, and takes up another stack that was left in the same way.
extern "C" void temper_switch_stack(void** left, void* entered);
asm(R"(
.text
.type temper_switch_stack, @function
temper_switch_stack:
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size temper_switch_stack, .-temper_switch_stack
)");

namespace temper::cuda::emulation {
namespace {

constexpr std::size_t kPage = 4096, kStackBytes = std::size_t{256} << 10;  // pages that are never touched cost nothing
constexpr std::size_t kColors = 61, kColorBytes = 320;

thread_local Fiber* left = nullptr;     // by the switch under way
thread_local Fiber* entered = nullptr;  // by it

char* map_stack() {
    void* const memory = mmap(nullptr, kPage + kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, kPage, PROT_NONE) != 0)
        throw_error(ExitCode::internal, "emulated CUDA: no memory for the stack of a thread ({} KiB)", kStackBytes >> 10);
    return static_cast<char*>(memory);
}

}  // namespace

Fiber::~Fiber() {
#ifdef __SANITIZE_THREAD__
    if (memory_ != nullptr && history_ != nullptr) __tsan_destroy_fiber(history_);
#endif
    if (memory_ != nullptr) munmap(memory_, kPage + kStackBytes);
}

void Fiber::start(Entry entry, void* argument, std::size_t color) {
    if (memory_ == nullptr) memory_ = map_stack();
    bottom_ = memory_ + kPage;
    size_ = kStackBytes;
    shadow_frames_ = nullptr;
    entry_ = entry;
    argument_ = argument;
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(bottom_, size_);
#endif
#ifdef __SANITIZE_THREAD__
    if (history_ != nullptr) __tsan_destroy_fiber(history_);
    history_ = __tsan_create_fiber(0);
#endif
    // As temper_switch_stack leaves one: six registers, then where to go on. A function finds rsp 8 above a multiple of 16.
    auto* top = reinterpret_cast<std::uint64_t*>(memory_ + kPage + kStackBytes - color % kColors * kColorBytes);
    *--top = 0;  // ends backtraces
    *--top = reinterpret_cast<std::uint64_t>(&Fiber::begin);
    for (int i = 0; i < 6; ++i) *--top = 0;
    stack_pointer_ = top;
}

void Fiber::begin() {
    Fiber& self = *entered;
    arrive(self);
    self.entry_(self.argument_);
    std::abort();
}

// Inline, so that what it enters and leaves counts for one stack.
[[gnu::always_inline]] inline void Fiber::depart(Fiber& from, Fiber& to, [[maybe_unused]] bool for_good) {
    left = &from;
    entered = &to;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(for_good ? nullptr : &from.shadow_frames_, to.bottom_, to.size_);
#endif
#ifdef __SANITIZE_THREAD__
    if (from.memory_ == nullptr) from.history_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.history_, 0);
#endif
}

void Fiber::arrive([[maybe_unused]] Fiber& to) {
#ifdef __SANITIZE_ADDRESS__
    // The stack of an OS thread is first known when it has been left.
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(to.shadow_frames_, &bottom, &size);
    if (left->memory_ == nullptr) left->bottom_ = bottom, left->size_ = size;
#endif
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
    depart(from, to, false);
    temper_switch_stack(&from.stack_pointer_, to.stack_pointer_);
    arrive(from);
}

void Fiber::leave(Fiber& from, Fiber& to) {
    depart(from, to, true);
    temper_switch_stack(&from.stack_pointer_, to.stack_pointer_);
    std::abort();
}

}  // namespace temper::cuda::emulation
