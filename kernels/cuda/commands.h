// Work as bytes: what a section of a program (Context::run_recorded) would have a device do, command by command, with every argument. Two sections
// of equal bytes do the same to the same memory, whatever stands in that memory.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/cuda/grid.h"
#include "kernels/span.h"

namespace temper::cuda {

class Context;

class Commands {
  public:
    using Issue = void (*)(Context&, const char* payload);  // has the device do it

    // Room for what `issue` is to know, zeros, at a multiple of 16 bytes; it lies there until the next command is added.
    char* add(Issue issue, std::size_t payload_bytes);
    template <class T> void add(Issue issue, const T& payload);
    void issue_all(Context& context) const;  // in order
    void clear();

    bool operator==(const Commands& other) const;
    std::uint64_t hash() const;
    std::size_t count() const { return count_; }

  private:
    struct Header {
        Issue issue;
        std::uint64_t payload_bytes;
    };
    std::vector<char> bytes_;
    std::size_t count_ = 0;
};

// Bytes between the members of a value differ from one copy of it to the next, until they are made zeros.
template <class T> void clear_padding(T& value) {
    static_assert(std::is_trivially_copyable_v<T>, "bytes are all there is to it");
#if !defined(__CUDACC__) || __CUDACC_VER_MAJOR__ >= 12
    __builtin_clear_padding(&value);
#else
    (void)value;  // unknown to this compiler: at worst equal work is not found to be equal
#endif
}

template <class T> void Commands::add(Issue issue, const T& payload) {
    T clean = payload;
    clear_padding(clean);
    std::memcpy(add(issue, sizeof clean), &clean, sizeof clean);
}

template <class T> T read_payload(const char* payload) {
    T value;
    std::memcpy(&value, payload, sizeof value);
    return value;
}

// A kernel with copies of its arguments: the launch, their sizes, and the arguments at multiples of 16 bytes.
struct RecordedLaunch {
    const void* kernel = nullptr;
    Grid grid;
    std::int32_t threads = 0, shared_bytes = 0;
    std::int64_t arguments = 0;
};
constexpr std::size_t kMostArguments = 24;
void add_launch(Commands& commands, Commands::Issue issue, RecordedLaunch launch, Span<const Argument> arguments);
RecordedLaunch launch_of(const char* payload);
std::array<void*, kMostArguments> arguments_of(const char* payload);  // null behind the last

}  // namespace temper::cuda
