// Where ops run and with what: the device, the number of threads, the instruction set, and scratch memory that outlives no op.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
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

namespace cuda {
class Context;
}

class Stream {
  public:
    explicit Stream(int threads, Isa isa = best_isa());  // on the CPU
    // On a CUDA device, by its index; threads and isa are those of what stays on the host. Usage Error where there is none.
    Stream(std::unique_ptr<cuda::Context> device, int threads, Isa isa = best_isa());
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Device device() const { return cuda_ ? Device::cuda : Device::cpu; }
    cuda::Context& cuda() const { return *cuda_; }
    void synchronize();  // until every op so far is done; the CPU's already are
    // A place in the work given so far, and waiting until it is reached: what came before it is done then, what came later may not be.
    std::uint64_t mark();
    void wait(std::uint64_t mark);
    // Runs ops as one section: on a device that keeps graphs as one launch, where it was given the same work before (cuda::Context::run_recorded).
    template <class Body> void run_recorded(const Body& body) {
        if (cuda_) run_on_device(std::cref(body));
        else body();
    }
    // Whether it pays to give equal sections again and again, by padding their rows.
    bool keeps_graphs() const;
    int threads() const { return threads_; }
    Isa isa() const { return isa_; }

    // The device's memory for the running op, 64-byte aligned, valid until the op returns. Grows to the largest op once and is then reused:
    // no allocation inside a step. Ops call it once, at their start, from the calling thread.
    void* scratch(std::size_t bytes);
    std::size_t scratch_bytes() const;

  private:
    void run_on_device(const std::function<void()>& body);
    std::unique_ptr<cuda::Context> cuda_;
    int threads_;
    Isa isa_;
    void* scratch_ = nullptr;
    std::size_t scratch_bytes_ = 0;
};

// The stream that a setting names: "cpu", "cuda", or "auto", which is a CUDA device where there is one. Ranks of one host take its devices in turn.
// Usage Error where no device is as named.
Stream open_stream(const std::string& device, int local_rank, int threads, Isa isa);

// Where an arena's memory lies: the host's, the host's where a device copies from and to it at full speed, or a device's.
enum class Memory : std::uint8_t { host, pinned, cuda };

constexpr Memory memory_of(Device device) { return device == Device::cuda ? Memory::cuda : Memory::host; }

// One block of memory from which views are cut; 64-byte aligned, transparent huge pages asked for on the host.
// Two-phase use: measure with a null arena (bytes counted, no memory), then allocate once.
class Arena {
  public:
    Arena() = default;
    explicit Arena(std::size_t bytes, Memory memory = Memory::host);
    ~Arena();
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&& other) noexcept;

    // Rows of a rank-2 view are padded to a multiple of 64 bytes (View::spare holds the columns gained); other ranks are contiguous.
    View take(DType dtype, std::initializer_list<std::int64_t> shape);
    char* data() const { return base_; }
    std::size_t used() const { return used_; }
    std::size_t capacity() const { return capacity_; }
    void reset() { used_ = 0; }
    // The same bytes on the stream's device.
    Arena moved(Stream& stream) const;

  private:
    char* base_ = nullptr;  // null: only counts
    Memory memory_ = Memory::host;
    std::size_t capacity_ = 0, used_ = 0;
};

}  // namespace temper
