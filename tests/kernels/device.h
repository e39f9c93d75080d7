// Where the op tests run: on the CPU, and in tests_kernels_cuda (TEMPER_TEST_CUDA) on a CUDA device, with pinned memory, which its kernels and
// the host both reach. A test makes its streams as TestStream and gives ops numbers of Vector, or of Numbers and Matrix, which are made of it.
#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/runtime.h"
#include "kernels/stream.h"

namespace temper::test {

#ifdef TEMPER_TEST_CUDA
constexpr Device kDevice = Device::cuda;

inline std::vector<Stream*>& live_streams() {
    static std::vector<Stream*> streams;
    return streams;
}
// Whether an op may be under way: a view has been taken since the host last waited. Who keeps a view for another op says so.
inline bool& is_pending() {
    static bool pending = false;
    return pending;
}
inline void note_op() { is_pending() = true; }
// Until every op has run whose results the host now reads.
inline void synchronize() {
    if (!std::exchange(is_pending(), false)) return;
    for (Stream* const stream : live_streams()) stream->synchronize();
}

// Where nothing can be thrown. After a fault on the device no call succeeds: its test is the last, and says why.
inline void settle() noexcept {
    try {
        test::synchronize();
    } catch (const std::exception& error) {
        const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
        std::printf("FAILED: %s.%s: %s\n", test ? test->test_suite_name() : "", test ? test->name() : "between tests", error.what());
        std::fflush(nullptr);
        std::_Exit(1);
    }
}

class TestStream : public Stream {
  public:
    explicit TestStream(int threads, Isa isa = best_isa()) : Stream(std::make_unique<cuda::Context>(0), threads, isa) {
        live_streams().push_back(this);
    }
    ~TestStream() {
        note_op();
        settle();
        std::erase(live_streams(), this);
    }
};

template <class T> struct Pinned {
    using value_type = T;
    Pinned() = default;
    template <class U> Pinned(const Pinned<U>&) {}
    // Whoever allocates is often about to copy.
    T* allocate(std::size_t count) {
        test::synchronize();
        return static_cast<T*>(cuda::allocate_host(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) {
        settle();
        cuda::release_host(memory);
    }
    friend bool operator==(const Pinned&, const Pinned&) { return true; }
};
template <class T> using Vector = std::vector<T, Pinned<T>>;
#else
constexpr Device kDevice = Device::cpu;
using TestStream = Stream;
inline void note_op() {}
inline void synchronize() {}
template <class T> using Vector = std::vector<T>;
#endif

// All numbers, or the first ones in a shape.
template <class T> View view_of(Vector<T>& numbers, std::initializer_list<std::int64_t> shape) {
    note_op();
    return View(numbers.data(), DTypeOf<T>::value, shape, kDevice);
}
template <class T> View view_of(Vector<T>& numbers) { return view_of(numbers, {static_cast<std::int64_t>(numbers.size())}); }

// Scratch becomes NaN.
inline void spoil_scratch(Stream& stream) {
    void* const scratch = stream.scratch(0);
    Vector<char> ones(stream.scratch_bytes(), '\xff');
    if (kDevice == Device::cuda) stream.cuda().copy_in(scratch, ones.data(), ones.size());
    else std::copy(ones.begin(), ones.end(), static_cast<char*>(scratch));
    note_op();
    synchronize();
}

}  // namespace temper::test
