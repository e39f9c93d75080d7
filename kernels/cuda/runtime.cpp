// kernels/cuda/runtime.h on the CUDA runtime, 11.8 to 13. A process works with one device: the one that its last Context named.
#include "kernels/cuda/runtime.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <cuda_runtime_api.h>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/memory_use.h"
#include "kernels/cuda/recording.h"
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
void use_device(int wanted) {
    thread_local int used = -1;
    if (used == wanted) return;
    check(cudaSetDevice(wanted), "cudaSetDevice");
    used = wanted;
}
void use_device() { use_device(chosen_device.load(std::memory_order_relaxed)); }

[[noreturn]] void throw_out_of_memory(const char* call, const char* kind, std::size_t bytes, const char* advice) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) cudaGetLastError();
    throw_error(ExitCode::internal, "CUDA: {}: out of {} memory: {} MiB are needed, the device has {} of {} MiB free; {}", call, kind, bytes >> 20,
                free >> 20, total >> 20, advice);
}

cudaStream_t stream_of(const Context& context) { return static_cast<cudaStream_t>(context.queue()); }

// Events at the last marks of a queue. An event that has become that of a later mark is waited for in its place.
struct Marks {
    static constexpr std::uint64_t kEvents = 16;
    std::array<cudaEvent_t, kEvents> events{};
    std::uint64_t last = 0, reached = 0;

    Marks() {
        for (cudaEvent_t& event : events) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
    ~Marks() {
        for (const cudaEvent_t event : events)
            if (event != nullptr) cudaEventDestroy(event);
    }
    cudaEvent_t event(std::uint64_t mark) const { return events[mark % kEvents]; }
};

// The runtime finds the direction by the addresses: what is called device memory may be pinned memory of the host.
void copy(void* to, const void* from, std::size_t bytes, const Context& context) {
    if (bytes == 0) return;
    use_device();
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(context)), "cudaMemcpyAsync");
}

// Of other host memory the driver may make a copy first, or read it later.
bool is_pinned(const void* host) {
    cudaPointerAttributes attributes;
    if (cudaPointerGetAttributes(&attributes, host) == cudaSuccess) return attributes.type == cudaMemoryTypeHost;
    cudaGetLastError();
    return false;
}

// A graph that a device launches as a whole.
struct Executable {
    cudaGraphExec_t graph = nullptr;
    ~Executable() {
        if (graph != nullptr) cudaGraphExecDestroy(graph);  // where it is under way, when it is through
    }
};

cudaError_t instantiate(cudaGraphExec_t* executable, cudaGraph_t graph) {
#if CUDART_VERSION >= 12000
    return cudaGraphInstantiate(executable, graph, 0);
#else
    return cudaGraphInstantiate(executable, graph, nullptr, nullptr, 0);
#endif
}

const char* name_of(const void* kernel) {
#if CUDART_VERSION >= 12030
    const char* name = nullptr;
    if (cudaFuncGetName(&name, kernel) == cudaSuccess && name != nullptr) return name;
    cudaGetLastError();
#else
    (void)kernel;
#endif
    return "a kernel";
}

// ---- commands of a section
void run_kernel(const Context& context, const RecordedLaunch& launch, void** arguments) {
    use_device();
    const Grid& grid = launch.grid;
    const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
    cudaError_t result = cudaLaunchKernel(launch.kernel, blocks, dim3(static_cast<unsigned>(launch.threads)), arguments,
                                          static_cast<std::size_t>(launch.shared_bytes), stream_of(context));
    if (result == cudaSuccess && kernels_are_waited_for()) result = cudaStreamSynchronize(stream_of(context));
    if (result == cudaSuccess) return;
    cudaGetLastError();
    throw_error(ExitCode::internal, "CUDA: {} of ({}, {}, {}) blocks, {} threads, {} bytes of shared memory: {}", name_of(launch.kernel), grid.x,
                grid.y, grid.z, launch.threads, launch.shared_bytes, cudaGetErrorString(result));
}
void issue_launch(Context& context, const char* payload) {
    std::array<void*, kMostArguments> arguments = arguments_of(payload);
    run_kernel(context, launch_of(payload), arguments.data());
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

bool is_supported(int device) {
    int major = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess) return major >= 8;
    cudaGetLastError();
    return false;
}

// Of free memory the driver takes this much later: code of cuBLASLt and of our kernels as they are first launched, graphs, NCCL's buffers.
constexpr std::size_t kDriverBytes = std::size_t{768} << 20;

std::string device_name(int device) {
    cudaDeviceProp found;
    check(cudaGetDeviceProperties(&found, device), "cudaGetDeviceProperties");
    return found.name;
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
    if (!is_supported(device))
        throw_error(ExitCode::usage, "device: cuda:{} is {} of compute capability {}.{}, there are kernels for 8.0 and later; take device: cpu",
                    device, p.name, p.major, p.minor);
    // No device is chosen back: since CUDA 12 that would begin to use it, which may be another process's alone.
    use_device(device);
    check(cudaMemGetInfo(&p.free_bytes, &p.memory_bytes), "cudaMemGetInfo");
    p.free_bytes -= std::min(p.free_bytes, kDriverBytes);
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
    marks_ = std::make_shared<Marks>();
    tables_ = std::make_unique<Tables>();
    keeps_graphs_ = graphs_are_wanted();
}

Context::~Context() {
    report_graphs();
    cudaStreamSynchronize(stream_of(*this));
    recording_.reset();
    tables_.reset();
    release(scratch_);
    cudaStreamDestroy(stream_of(*this));
}

void* Context::scratch(std::size_t bytes) {
    if (bytes <= scratch_bytes_ && scratch_ != nullptr) return scratch_;
    use_device();
    if (recorded() != nullptr) {
        if (scratch_ != nullptr) recording_->outgrown.push_back(scratch_);
    } else {
        check(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize");  // kernels may still use what goes
        release(scratch_);
    }
    scratch_ = nullptr;
    scratch_bytes_ = 0;
    scratch_ = allocate(bytes);
    scratch_bytes_ = bytes;
    return scratch_;
}

void Context::copy_in(void* device, const void* host, std::size_t bytes) {
    spill();
    copy(device, host, bytes, *this);
    if (bytes > 0 && !is_pinned(host)) check(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize");
}
void Context::copy_out(void* host, const void* device, std::size_t bytes) {
    spill();
    copy(host, device, bytes, *this);
}
void Context::copy_across(void* device, const void* from_device, std::size_t bytes) {
    if (bytes == 0) return;
    if (Commands* const commands = recorded()) return record_copy(*commands, device, from_device, bytes);
    copy(device, from_device, bytes, *this);
}

void Context::fill_zero(void* device, std::size_t bytes) {
    if (bytes == 0) return;
    if (Commands* const commands = recorded()) return record_zero(*commands, device, bytes);
    use_device();
    check(cudaMemsetAsync(device, 0, bytes, stream_of(*this)), "cudaMemsetAsync");
}

void Context::synchronize() {
    spill();
    use_device();
    check(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize");
    Marks& marks = *static_cast<Marks*>(marks_.get());
    marks.reached = marks.last;
    tables_->forget();
}

std::uint64_t Context::mark() {
    Marks& marks = *static_cast<Marks*>(marks_.get());
    use_device();
    check(cudaEventRecord(marks.event(++marks.last), stream_of(*this)), "cudaEventRecord");
    return marks.last;
}

void Context::wait(std::uint64_t mark) {
    Marks& marks = *static_cast<Marks*>(marks_.get());
    if (mark <= marks.reached) return;
    use_device();
    check(cudaEventSynchronize(marks.event(mark)), "cudaEventSynchronize");
    marks.reached = mark;
}

// Captured in the mode that leaves other threads alone. Nothing here allocates or waits: both were done when the commands were recorded, or when
// they were first issued.
std::shared_ptr<void> Context::make_graph(const Commands& commands) {
    auto made = std::make_shared<Executable>();
    cudaGraph_t graph = nullptr;
    use_device();
    cudaError_t result = cudaStreamBeginCapture(stream_of(*this), cudaStreamCaptureModeThreadLocal);
    std::string refused;
    if (result == cudaSuccess) {
        try {
            commands.issue_all(*this);
        } catch (const Error& error) {
            refused = error.what();
        }
        result = cudaStreamEndCapture(stream_of(*this), &graph);
    }
    if (result == cudaSuccess && refused.empty()) result = instantiate(&made->graph, graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (result == cudaSuccess && refused.empty()) return made;
    cudaGetLastError();
    keeps_graphs_ = false;
    fmt::print(stderr, "warning: this device does without CUDA graphs, op by op: {}\n", refused.empty() ? cudaGetErrorString(result) : refused);
    return nullptr;
}

void Context::launch_graph(void* graph) {
    use_device();
    check(cudaGraphLaunch(static_cast<const Executable*>(graph)->graph, stream_of(*this)), "cudaGraphLaunch");
}

void launch_kernel(Stream& stream, const void* kernel, Grid grid, int threads, int shared_bytes, Span<const Argument> arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    use_device();
    allow_shared(kernel, shared_bytes);
    Context& context = stream.cuda();
    const RecordedLaunch launch{kernel, grid, threads, shared_bytes, static_cast<std::int64_t>(arguments.size())};
    if (Commands* const commands = context.recorded()) return add_launch(*commands, issue_launch, launch, arguments);
    std::array<void*, kMostArguments> pointers{};
    for (std::size_t i = 0; i < arguments.size(); ++i) pointers[i] = const_cast<void*>(arguments[i].value);
    run_kernel(context, launch, pointers.data());
}

}  // namespace temper::cuda
