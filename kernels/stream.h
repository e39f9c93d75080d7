// Where ops run and with what: the device, the number of threads, the instruction set, and scratch memory that outlives no op.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/tensor.h"

namespace temper {

// Instruction sets of the bfloat16 kernels, worst to best. AVX2 (with FMA) is the least that temper runs on; float32 has its own width by the same switch.
enum class Isa : std::uint8_t { scalar, avx2, avx512, avx512_bf16, amx };
const char* name_of(Isa isa);
Isa best_isa();                          // of this processor and operating system (AMX also needs a permission, asked for here)
Isa parse_isa(const std::string& name);  // "auto" | "scalar" | "avx2" | "avx512" | "avx512_bf16" | "amx"; usage Error when unknown or absent here

class Stream {
  public:
    explicit Stream(int threads, Isa isa = best_isa());
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Device device() const { return Device::cpu; }
    int threads() const { return threads_; }
    Isa isa() const { return isa_; }

    // Memory for the running op, 64-byte aligned, valid until the op returns. Grows to the largest op once and is then reused:
    // no allocation inside a step. Ops call it once, at their start, from the calling thread.
    void* scratch(std::size_t bytes);
    std::size_t scratch_bytes() const { return scratch_bytes_; }

  private:
    int threads_;
    Isa isa_;
    void* scratch_ = nullptr;
    std::size_t scratch_bytes_ = 0;
};

// One block of memory from which views are cut; 64-byte aligned, transparent huge pages asked for.
// Two-phase use: measure with a null arena (bytes counted, no memory), then allocate once.
class Arena {
  public:
    Arena() = default;
    explicit Arena(std::size_t bytes);
    ~Arena();
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&& other) noexcept;

    // Rows of a rank-2 view are padded to a multiple of 64 bytes (View::spare holds the columns gained); other ranks are contiguous.
    View take(DType dtype, std::initializer_list<std::int64_t> shape);
    std::size_t used() const { return used_; }
    std::size_t capacity() const { return capacity_; }
    void reset() { used_ = 0; }

  private:
    char* base_ = nullptr;  // null: only counts
    std::size_t capacity_ = 0, used_ = 0;
};

}  // namespace temper
