// Cuts an op's one piece of stream scratch into arrays. Sizes are asked for first, then the cuts are made in the same order.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/stream.h"

namespace temper::cpu {

class ScratchCuts {
  public:
    // Bytes that one array takes: whole cache lines, so that threads that own neighbouring arrays share none.
    template <class T> static std::size_t bytes(std::int64_t count) { return (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64; }
    ScratchCuts(Stream& stream, std::size_t total) : next_(static_cast<char*>(stream.scratch(total))) {}
    explicit ScratchCuts(char* memory) : next_(memory) {}  // a thread's part of such a piece
    template <class T> T* take(std::int64_t count) {
        T* const result = reinterpret_cast<T*>(next_);
        next_ += bytes<T>(count);
        return result;
    }

  private:
    char* next_;
};

}  // namespace temper::cpu
