// The largest rates that a device shows: cuBLASLt's products of several shapes, each candidate of its heuristics, on random numbers (zeros take less
// power, and run faster than a model's numbers do); copies within the device's memory. Rates are of some calls in a row, as in a step.
#include "kernels/cuda/peak.h"

#include <algorithm>
#include <array>
#include <vector>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "kernels/random.h"

namespace temper::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;
constexpr std::size_t kMostCopied = std::size_t{1} << 30;
constexpr int kCandidates = 6, kCalls = 8, kRounds = 3;

struct Shape {
    std::int64_t m, n, k;
};
constexpr std::array<Shape, 4> kLargeShapes = {{{8192, 8192, 8192}, {16384, 8192, 4096}, {4096, 14336, 4096}, {2048, 2048, 2048}}};
constexpr std::array<Shape, 2> kFloatShapes = {{{4096, 4096, 4096}, {2048, 2048, 2048}}};  // a float32 product takes ten times as long

void check(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS) throw_error(ExitCode::internal, "CUDA: peak: {}: {}", call, cublasLtGetStatusString(status));
}
void check(cudaError_t result, const char* call) {
    if (result != cudaSuccess) throw_error(ExitCode::internal, "CUDA: peak: {}: {}", call, cudaGetErrorString(result));
}

cudaStream_t queue_of(Stream& stream) { return static_cast<cudaStream_t>(stream.cuda().queue()); }

// Memory of a measurement; not of cuda::allocate, whose figures are of what the process needs.
class Bytes {
  public:
    explicit Bytes(std::size_t count) : count_(count) { check(cudaMalloc(&data_, count), "cudaMalloc"); }
    ~Bytes() { cudaFree(data_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    char* data() const { return static_cast<char*>(data_); }
    std::size_t size() const { return count_; }

  private:
    void* data_ = nullptr;
    std::size_t count_;
};

// Seconds of one call: the least of some rounds, each of several calls in a row. Empty where a call fails.
template <class Call> double seconds_of(Stream& stream, const Call& call) {
    struct Event {
        cudaEvent_t event = nullptr;
        Event() { check(cudaEventCreate(&event), "cudaEventCreate"); }
        ~Event() { cudaEventDestroy(event); }
        Event(const Event&) = delete;
        Event& operator=(const Event&) = delete;
    };
    Event begin, end;
    double least = 0.0;
    for (int round = 0; round <= kRounds; ++round) {  // the first warms up, and counts for nothing
        check(cudaEventRecord(begin.event, queue_of(stream)), "cudaEventRecord");
        for (int i = 0; i < kCalls; ++i) call();
        check(cudaEventRecord(end.event, queue_of(stream)), "cudaEventRecord");
        check(cudaEventSynchronize(end.event), "cudaEventSynchronize");
        float elapsed = 0.0f;
        check(cudaEventElapsedTime(&elapsed, begin.event, end.event), "cudaEventElapsedTime");
        if (round == 1 || (round > 1 && elapsed < least)) least = elapsed;
    }
    return std::max(least, 1e-6) * 1e-3 / kCalls;
}

// Numbers in [-1, 1), some of them again and again, from another place each time.
void fill(Stream& stream, const Bytes& memory, DType dtype) {
    constexpr std::size_t kNumbers = 1 << 18;
    std::vector<float> numbers(kNumbers);
    for (std::size_t i = 0; i < kNumbers; ++i) numbers[i] = 2.0f * uniform(1, 0, i) - 1.0f;
    std::vector<bf16> rounded(kNumbers);
    for (std::size_t i = 0; i < kNumbers; ++i) rounded[i] = to_bf16(numbers[i]);
    const void* const source = dtype == DType::f32 ? static_cast<const void*>(numbers.data()) : rounded.data();
    const std::size_t piece = kNumbers * static_cast<std::size_t>(size_of(dtype)) - 4096;
    for (std::size_t at = 0; at < memory.size(); at += piece) stream.cuda().copy_in(memory.data() + at, source, std::min(piece, memory.size() - at));
    stream.synchronize();
}

std::size_t bytes_of(const Shape& s, DType dtype) {
    return static_cast<std::size_t>((s.m * s.k + s.n * s.k + s.m * s.n) * size_of(dtype)) + kWorkspaceBytes;
}

// d (m, n) = a (m, k) b (n, k)^T, as a linear layer; column-major for the library.
class Multiplication {
  public:
    Multiplication(Stream& stream, const Shape& shape, DType dtype) : stream_(stream), memory_(bytes_of(shape, dtype)) {
        const cudaDataType_t type = dtype == DType::f32 ? CUDA_R_32F : CUDA_R_16BF;
        fill(stream, memory_, dtype);
        workspace_ = memory_.data();  // first, for its alignment
        a_ = workspace_ + kWorkspaceBytes;
        b_ = a_ + shape.m * shape.k * size_of(dtype);
        d_ = b_ + shape.n * shape.k * size_of(dtype);
        check(cublasLtCreate(&library_), "cublasLtCreate");
        check(cublasLtMatmulDescInit(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescInit");
        const cublasOperation_t transposed = CUBLAS_OP_T;
        check(cublasLtMatmulDescSetAttribute(&operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
              "cublasLtMatmulDescSetAttribute");
        lay_out(left_, type, shape.k, shape.n);
        lay_out(right_, type, shape.k, shape.m);
        lay_out(result_, type, shape.n, shape.m);
    }
    ~Multiplication() { cublasLtDestroy(library_); }
    Multiplication(const Multiplication&) = delete;
    Multiplication& operator=(const Multiplication&) = delete;

    double least_seconds() {
        double least = 0.0;
        for (const cublasLtMatmulAlgo_t& algorithm : candidates()) {
            if (run(algorithm) != CUBLAS_STATUS_SUCCESS) continue;
            const double seconds = seconds_of(stream_, [&] { check(run(algorithm), "cublasLtMatmul"); });
            if (least == 0.0 || seconds < least) least = seconds;
        }
        if (least == 0.0) throw_error(ExitCode::internal, "CUDA: peak: cuBLASLt {} has no product to time", cublasLtGetVersion());
        return least;
    }

  private:
    static void lay_out(cublasLtMatrixLayoutOpaque_t& layout, cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
        check(cublasLtMatrixLayoutInit(&layout, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), rows),
              "cublasLtMatrixLayoutInit");
    }
    std::vector<cublasLtMatmulAlgo_t> candidates() {
        cublasLtMatmulPreferenceOpaque_t preference;
        check(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
        check(cublasLtMatmulPreferenceSetAttribute(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspaceBytes, sizeof kWorkspaceBytes),
              "cublasLtMatmulPreferenceSetAttribute");
        cublasLtMatmulHeuristicResult_t results[kCandidates];
        int count = 0;
        check(cublasLtMatmulAlgoGetHeuristic(library_, &operation_, &left_, &right_, &result_, &result_, &preference, kCandidates, results, &count),
              "cublasLtMatmulAlgoGetHeuristic");
        std::vector<cublasLtMatmulAlgo_t> found;
        for (int i = 0; i < count; ++i)
            if (results[i].state == CUBLAS_STATUS_SUCCESS) found.push_back(results[i].algo);
        return found;
    }
    cublasStatus_t run(const cublasLtMatmulAlgo_t& algorithm) {
        const float one = 1.0f, zero = 0.0f;
        return cublasLtMatmul(library_, &operation_, &one, b_, &left_, a_, &right_, &zero, d_, &result_, d_, &result_, &algorithm, workspace_,
                              kWorkspaceBytes, queue_of(stream_));
    }

    Stream& stream_;
    Bytes memory_;
    char *workspace_ = nullptr, *a_ = nullptr, *b_ = nullptr, *d_ = nullptr;
    cublasLtHandle_t library_ = nullptr;
    cublasLtMatmulDescOpaque_t operation_;
    cublasLtMatrixLayoutOpaque_t left_, right_, result_;
};

// What a measurement may take beside the process's own memory.
std::size_t spare_bytes(Stream& stream) {
    stream.synchronize();
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return properties(device).free_bytes / 2;
}

template <std::size_t N> double best_of(Stream& stream, DType dtype, const std::array<Shape, N>& shapes) {
    double best = 0.0;
    for (const Shape& shape : shapes) {
        if (bytes_of(shape, dtype) > spare_bytes(stream)) continue;
        const double flops = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
        best = std::max(best, flops / Multiplication(stream, shape, dtype).least_seconds());
    }
    return best;
}

}  // namespace

double peak_flops(Stream& stream, DType dtype) {
    return dtype == DType::f32 ? best_of(stream, dtype, kFloatShapes) : best_of(stream, dtype, kLargeShapes);
}

double copy_bandwidth(Stream& stream) {
    const std::size_t bytes = std::min(kMostCopied, spare_bytes(stream) / 2);
    const Bytes from(bytes), to(bytes);
    stream.cuda().fill_zero(from.data(), bytes);
    return 2.0 * static_cast<double>(bytes) / seconds_of(stream, [&] { stream.cuda().copy_across(to.data(), from.data(), bytes); });
}

}  // namespace temper::cuda
