// A thread of an emulated block: a stack of its own on one OS thread, left and entered again where it stood. x86-64, as all of temper.
#pragma once
#include <cstddef>

namespace temper::cuda::emulation {

class Fiber {
  public:
    using Entry = void (*)(void*);

    Fiber() = default;  // the OS thread's own stack, once it is left for another
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // entry(argument) runs at the next switch to this fiber, from the beginning; it must not return and must let no exception out.
    // Whatever stood on the stack is dropped, no destructor runs. `color` spreads the tops of many stacks over the cache.
    void start(Entry entry, void* argument, std::size_t color);

    // The caller's stack is kept in `from` until something switches back to it.
    static void switch_to(Fiber& from, Fiber& to);
    // The same without a way back, but by start.
    [[noreturn]] static void leave(Fiber& from, Fiber& to);

  private:
    [[noreturn]] static void begin();
    static void depart(Fiber& from, Fiber& to, bool for_good);
    static void arrive(Fiber& to);

    void* stack_pointer_ = nullptr;
    char* memory_ = nullptr;  // of this fiber's own stack, a guard page first
    Entry entry_ = nullptr;
    void* argument_ = nullptr;
    // What AddressSanitizer asks about a stack (sanitizer/common_interface_defs.h).
    const void* bottom_ = nullptr;
    std::size_t size_ = 0;
    void* shadow_frames_ = nullptr;
    void* history_ = nullptr;  // what ThreadSanitizer keeps of a fiber (sanitizer/tsan_interface.h)
};

}  // namespace temper::cuda::emulation
