// A CUDA device as the host sees it: memory, copies, the queue of work. runtime.cpp asks the CUDA runtime; emulation/runtime.cpp does the same in
// this process's memory, so that everything above runs where there is no GPU.
// A failing call throws Error with the call, the device's own words, and what to do where memory is short.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper::cuda {

struct DeviceProperties {
    std::string name;          // "NVIDIA H100 80GB HBM3"; "emulated"
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    int shared_bytes = 0;                          // that one block may have
    std::size_t memory_bytes = 0, free_bytes = 0;  // free: without what the driver will take for itself
};

// Devices that this process may use; 0 without a driver.
int device_count();
std::string device_name(int device);
bool is_supported(int device);            // of compute capability 8.0 or later, for which there are kernels; false where the device cannot say
DeviceProperties properties(int device);  // which becomes this thread's device; usage where it is not supported

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

class Commands;

// Sections that Context::run_recorded ran: with a graph that was there, with one that was then made, launch by launch, and those among the last
// that the host had to wait within.
struct GraphCounts {
    std::int64_t replayed = 0, made = 0, issued = 0, spilled = 0;
};

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
    // A place in the queue: everything before it, and waiting until the device is there, which gives what copy_out brings and frees pinned memory.
    std::uint64_t mark();
    void wait(std::uint64_t mark);

    // Runs a body of ops, as one launch where the device was given the same work before: kernels, grids, addresses and arguments, but for what
    // tables hold (upload). `body` runs once, and the device begins when it is through. Where the host must wait
    // within the body, or copies to and fro, what was recorded so far is issued and the rest follows op by op (spill).
    // TEMPER_CUDA_GRAPHS=0 or wait, or a device that refuses to capture: the body is run op by op.
    void run_recorded(const std::function<void()>& body);
    bool keeps_graphs() const { return keeps_graphs_; }
    Commands* recorded();  // where ops put their work instead of the queue; null outside of a section
    void spill();
    GraphCounts graph_counts() const;

    // A small table for the op at hand, 16-byte aligned in device memory until the host next synchronizes or 64 more ops have run. Equal tables
    // between two synchronizations are sent once.
    const void* upload(const void* values, std::size_t bytes);
    // Bytes that stand there: in a section that is recorded there are zeros behind a table, so that its size seldom differs.
    std::size_t room_of_table(std::size_t bytes) const;

    // What the library of matrix products keeps for this queue (gemm.h); made by the first product.
    std::shared_ptr<void>& products() { return products_; }

  private:
    struct Tables;
    struct Recording;
    void finish_recording();
    void report_graphs() const;
    // What a device launches at once; null where it cannot.
    std::shared_ptr<void> make_graph(const Commands& commands);
    void launch_graph(void* graph);

    DeviceProperties properties_;
    void* queue_ = nullptr;
    std::shared_ptr<void> marks_;
    void* scratch_ = nullptr;
    std::size_t scratch_bytes_ = 0;
    std::unique_ptr<Tables> tables_;
    bool keeps_graphs_ = false;
    std::unique_ptr<Recording> recording_;
    std::shared_ptr<void> products_;
};

}  // namespace temper::cuda
