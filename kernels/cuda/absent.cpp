// In place of kernels/cuda in a build without CUDA: there is no device, and whoever asks for one is told so.
#include "kernels/cuda/algorithms.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/peak.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "kernels/op_table.h"

namespace temper::cuda {
namespace {

[[noreturn]] void absent() {
    throw_error(ExitCode::usage,
                "device: this build has no CUDA kernels; build with cmake --preset cuda where the CUDA toolkit is, or take device: cpu");
}

}  // namespace

struct Context::Tables {};
struct Context::Recording {};

int device_count() { return 0; }
bool is_supported(int) { return false; }
std::string device_name(int) { absent(); }
DeviceProperties properties(int) { absent(); }
void* allocate(std::size_t) { absent(); }
void release(void*) noexcept {}
void* allocate_host(std::size_t) { absent(); }
void release_host(void*) noexcept {}
MemoryUse memory_use() { return {}; }

Context::Context(int) { absent(); }
Context::~Context() = default;
MemoryUse Context::held() { return {}; }
void* Context::scratch(std::size_t) { absent(); }
void Context::copy_in(void*, const void*, std::size_t) { absent(); }
void Context::copy_out(void*, const void*, std::size_t) { absent(); }
void Context::copy_across(void*, const void*, std::size_t) { absent(); }
void Context::fill_zero(void*, std::size_t) { absent(); }
void Context::synchronize() { absent(); }
const void* Context::upload(const void*, std::size_t) { absent(); }

std::uint64_t Context::mark() { absent(); }
void Context::wait(std::uint64_t) { absent(); }
GraphCounts Context::graph_counts() const { absent(); }
void Context::run_recorded(const std::function<void()>&) { absent(); }
double peak_flops(Stream&, DType) { absent(); }
double copy_bandwidth(Stream&) { absent(); }
std::vector<ProductKey> rehearse_products(Stream&, const std::function<void()>&) { absent(); }
AlgorithmTable empty_table(Stream&) { absent(); }
AlgorithmTable::Algorithm choose_algorithm(Stream&, const ProductKey&) { absent(); }
void follow_algorithms(Stream&, AlgorithmTable) { absent(); }
LibraryPasses library_passes() { return {}; }
std::string cudnn_version() { return "none"; }

const OpTable* table() { return nullptr; }

}  // namespace temper::cuda
