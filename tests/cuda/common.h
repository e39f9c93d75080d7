// What the tests of the emulation share: a stream, device memory that goes when its owner does, what a refused kernel says.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "kernels/stream.h"

namespace temper::test {

// Numbers in device memory.
template <class T> class OnDevice {
  public:
    explicit OnDevice(std::int64_t count) : count_(count), memory_(static_cast<T*>(cuda::allocate(static_cast<std::size_t>(count) * sizeof(T)))) {}
    explicit OnDevice(const std::vector<T>& values) : OnDevice(static_cast<std::int64_t>(values.size())) {
        std::memcpy(memory_, values.data(), values.size() * sizeof(T));
    }
    OnDevice(OnDevice&& other) noexcept : count_(other.count_), memory_(std::exchange(other.memory_, nullptr)) {}
    OnDevice& operator=(OnDevice&&) = delete;
    ~OnDevice() { cuda::release(memory_); }

    cuda::Global<T> global() const { return {memory_, count_}; }
    operator cuda::Global<T>() const { return global(); }
    operator cuda::Global<const T>() const { return global(); }
    T* data() const { return memory_; }
    std::vector<T> values() const { return std::vector<T>(memory_, memory_ + count_); }

  private:
    std::int64_t count_;
    T* memory_;
};

// The kernel's grid refused: what the Error says, or "" when there was none.
template <class... Parameters, class... Arguments>
std::string refusal(void (*kernel)(Parameters...), cuda::Grid grid, int threads, int shared_bytes, const Arguments&... arguments) {
    Stream stream(std::make_unique<cuda::Context>(0), 1);
    try {
        cuda::launch(stream, kernel, grid, threads, shared_bytes, arguments...);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

template <class... Parameters, class... Arguments>
void run(void (*kernel)(Parameters...), cuda::Grid grid, int threads, int shared_bytes, const Arguments&... arguments) {
    EXPECT_EQ(refusal(kernel, grid, threads, shared_bytes, arguments...), "");
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
// Each part in the text, which the failure shows.
inline ::testing::AssertionResult says(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts)
        if (!contains(text, part)) return ::testing::AssertionFailure() << "\"" << text << "\" lacks \"" << part << "\"";
    return ::testing::AssertionSuccess();
}

}  // namespace temper::test
