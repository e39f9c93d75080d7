// kernels/cuda/runtime.h on the CUDA runtime, 11.8 to 13. A process works with one device: the one that its last Context named.
#include "kernels/cuda/runtime.h"

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include <cuda_runtime_api.h>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/memory_use.h"
#include "kernels/cuda/tables.h"
#include "kernels/error.h"

namespace temper::cuda {
namespace {

constexpr int kUnaskedSharedBytes = 48 << 10;  // a block may have more where its kernel says so first

std::atomic<int> chosen_device{0};

void check(cudaError_t result, const char* call) {
    if (result == cudaSuccess) return;
    cudaGetLastError();  // an error that the context survives is not found again by the next call
    throw_error(ExitCode::internal, "CUDA: {}: {} ({})", call, cudaGetErrorString(result), cudaGetErrorName(result));
}

// The CUDA runtime keeps a device for each OS thread.
void use_device() {
    thread_local int used = -1;
    const int wanted = chosen_device.load(std::memory_order_relaxed);
    if (used == wanted) return;
    check(cudaSetDevice(wanted), "cudaSetDevice");
    used = wanted;
}

[[noreturn]] void throw_out_of_memory(const char* call, const char* kind, std::size_t bytes, const char* advice) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) cudaGetLastError();
    throw_error(ExitCode::internal, "CUDA: {}: out of {} memory: {} MiB are needed, the device has {} of {} MiB free; {}", call, kind, bytes >> 20,
                free >> 20, total >> 20, advice);
}

cudaStream_t stream_of(const Context& context) { return static_cast<cudaStream_t>(context.queue()); }

void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, const Context& context) {
    if (bytes == 0) return;
    use_device();
    check(cudaMemcpyAsync(to, from, bytes, kind, stream_of(context)), "cudaMemcpyAsync");
}

// Shared memory above what a kernel may have unasked is asked for once a kernel, device and size.
void allow_shared(const void* kernel, int bytes) {
    static std::mutex mutex;
    static std::map<std::pair<int, const void*>, int> allowed;
    if (bytes <= kUnaskedSharedBytes) return;
    const std::lock_guard lock(mutex);
    int& most = allowed[{chosen_device.load(), kernel}];
    if (bytes <= most) return;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "cudaFuncSetAttribute (shared memory of a block)");
    most = bytes;
}

}  // namespace

int device_count() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    cudaGetLastError();
    return 0;
}

DeviceProperties properties(int device) {
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess) {
        cudaGetLastError();
        throw_error(ExitCode::usage, "device: no CUDA device can be used: {}; install the NVIDIA driver, or take device: cpu",
                    cudaGetErrorString(result));
    }
    if (device < 0 || device >= count)
        throw_error(ExitCode::usage, "device: cuda:{} is not there; this process may use {} (CUDA_VISIBLE_DEVICES)", device, count);
    cudaDeviceProp found;
    check(cudaGetDeviceProperties(&found, device), "cudaGetDeviceProperties");
    DeviceProperties p;
    p.name = found.name;
    p.major = found.major;
    p.minor = found.minor;
    p.multiprocessors = found.multiProcessorCount;
    p.shared_bytes = static_cast<int>(found.sharedMemPerBlockOptin);
    int before = 0;
    check(cudaGetDevice(&before), "cudaGetDevice");
    check(cudaSetDevice(device), "cudaSetDevice");
    check(cudaMemGetInfo(&p.free_bytes, &p.memory_bytes), "cudaMemGetInfo");
    check(cudaSetDevice(before), "cudaSetDevice");
    return p;
}

void* allocate(std::size_t bytes) {
    use_device();
    void* memory = nullptr;
    const cudaError_t result = cudaMalloc(&memory, bytes == 0 ? 1 : bytes);
    if (result == cudaErrorMemoryAllocation)
        throw_out_of_memory("cudaMalloc", "device", bytes, "use smaller batches (train.micro_batch_tokens), or a device that nobody else uses");
    check(result, "cudaMalloc");
    note_given(MemoryKind::device, memory, bytes);
    return memory;
}

void release(void* memory) noexcept {
    note_back(memory);
    cudaFree(memory);
}

void* allocate_host(std::size_t bytes) {
    use_device();
    void* memory = nullptr;
    const cudaError_t result = cudaMallocHost(&memory, bytes == 0 ? 1 : bytes);
    if (result == cudaErrorMemoryAllocation)
        throw_out_of_memory("cudaMallocHost", "pinned host", bytes, "free memory of this machine, or raise its limit of locked memory (ulimit -l)");
    check(result, "cudaMallocHost");
    note_given(MemoryKind::pinned, memory, bytes);
    return memory;
}

void release_host(void* memory) noexcept {
    note_back(memory);
    cudaFreeHost(memory);
}

Context::Context(int device) : properties_(properties(device)) {
    chosen_device = device;
    use_device();
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    queue_ = stream;
    tables_ = std::make_unique<Tables>();
}

Context::~Context() {
    cudaStreamSynchronize(stream_of(*this));
    tables_.reset();
    release(scratch_);
    cudaStreamDestroy(stream_of(*this));
}

void* Context::scratch(std::size_t bytes) {
    if (bytes <= scratch_bytes_ && scratch_ != nullptr) return scratch_;
    use_device();
    check(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize");  // kernels may still use what goes
    release(scratch_);
    scratch_ = nullptr;
    scratch_bytes_ = 0;
    scratch_ = allocate(bytes);
    scratch_bytes_ = bytes;
    return scratch_;
}

void Context::copy_in(void* device, const void* host, std::size_t bytes) { copy(device, host, bytes, cudaMemcpyHostToDevice, *this); }
void Context::copy_out(void* host, const void* device, std::size_t bytes) { copy(host, device, bytes, cudaMemcpyDeviceToHost, *this); }
void Context::copy_across(void* device, const void* from_device, std::size_t bytes) {
    copy(device, from_device, bytes, cudaMemcpyDeviceToDevice, *this);
}

void Context::fill_zero(void* device, std::size_t bytes) {
    if (bytes == 0) return;
    use_device();
    check(cudaMemsetAsync(device, 0, bytes, stream_of(*this)), "cudaMemsetAsync");
}

void Context::synchronize() {
    use_device();
    check(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize");
    tables_->forget();
}

void launch_kernel(Stream& stream, const void* kernel, Grid grid, int threads, int shared_bytes, void** arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    use_device();
    allow_shared(kernel, shared_bytes);
    const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
    const cudaError_t result = cudaLaunchKernel(kernel, blocks, dim3(static_cast<unsigned>(threads)), arguments,
                                                static_cast<std::size_t>(shared_bytes), stream_of(stream.cuda()));
    if (result == cudaSuccess) return;
    cudaGetLastError();
    throw_error(ExitCode::internal, "CUDA: cudaLaunchKernel of ({}, {}, {}) blocks, {} threads, {} bytes of shared memory: {}", grid.x, grid.y,
                grid.z, threads, shared_bytes, cudaGetErrorString(result));
}

}  // namespace temper::cuda
