// A CUDA device as the host sees it: memory, copies, the queue of work. runtime.cpp asks the CUDA runtime; emulation/runtime.cpp does the same in
// this process's memory, so that everything above runs where there is no GPU.
// A failing call throws Error with the call, the device's own words, and what to do where memory is short.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper::cuda {

struct DeviceProperties {
    std::string name;          // "NVIDIA H100 80GB HBM3"; "emulated"
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    int shared_bytes = 0;  // that one block may have
    std::size_t memory_bytes = 0, free_bytes = 0;
};

// Devices that this process may use; 0 without a driver.
int device_count();
DeviceProperties properties(int device);

void* allocate(std::size_t bytes);         // device memory, 256-byte aligned
void release(void* memory) noexcept;       // of allocate
void* allocate_host(std::size_t bytes);    // pinned: copies from and to it do not stop the host, and kernels can reach it
void release_host(void* memory) noexcept;  // of allocate_host

// What these four have given in this process and not had back, the most of it at once, and how often device memory was given.
struct MemoryUse {
    std::size_t device = 0, most_device = 0, pinned = 0, most_pinned = 0;
    std::int64_t device_allocations = 0;
};
MemoryUse memory_use();

// The queue of one device and what its ops share. Work is done in order; the host waits only in synchronize.
class Context {
  public:
    explicit Context(int device);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const DeviceProperties& device() const { return properties_; }
    void* queue() const { return queue_; }  // a cudaStream_t
    void* scratch(std::size_t bytes);
    std::size_t scratch_bytes() const { return scratch_bytes_; }
    // What a context holds of both memories beside its scratch once its ops have run, the library of matrix products included.
    static MemoryUse held();

    // In order with the kernels. Host memory that is not pinned may be written again when this returns.
    void copy_in(void* device, const void* host, std::size_t bytes);
    void copy_out(void* host, const void* device, std::size_t bytes);  // host sees it after synchronize
    void copy_across(void* device, const void* from_device, std::size_t bytes);
    void fill_zero(void* device, std::size_t bytes);
    void synchronize();

    // A small table for the op at hand, 16-byte aligned in device memory until the host next synchronizes or 64 more ops have run. Equal tables
    // between two synchronizations are sent once.
    const void* upload(const void* values, std::size_t bytes);

    // What the library of matrix products keeps for this queue (gemm.h); made by the first product.
    std::shared_ptr<void>& products() { return products_; }

  private:
    struct Tables;
    DeviceProperties properties_;
    void* queue_ = nullptr;
    void* scratch_ = nullptr;
    std::size_t scratch_bytes_ = 0;
    std::unique_ptr<Tables> tables_;
    std::shared_ptr<void> products_;
};

}  // namespace temper::cuda
