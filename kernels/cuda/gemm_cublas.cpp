// Matrix products by cuBLASLt. Its matrices are column-major: what it is told to compute is d^T = b^T a^T, each array as it lies in memory.
// float32 is computed as such (CUBLAS_COMPUTE_32F, no TF32). Sums over the depth are never split: of the library's candidates for a shape those are
// taken whose rows keep their bits whatever the number of rows, which is tried on numbers, and the fastest of them is chosen (algorithms.h).
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "kernels/cuda/commands.h"
#include "kernels/cuda/product_choices.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/scratch.h"
#include "kernels/random.h"

namespace temper::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what NVIDIA advises for Hopper          [cuBLAS documentation, 2.1.8]
constexpr std::int64_t kTimedBytes = std::int64_t{256} << 20;   // most of an output that is timed
constexpr std::int64_t kMostTimedRows = 4096, kFewestTimedRows = 384;
constexpr std::int64_t kTimedDepth = 2048;  // where the depth is a number of rows
constexpr int kCandidates = 16, kTimedRuns = 5;

void check(cublasStatus_t status, const char* call, const Product& p) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw_error(ExitCode::internal, "CUDA: {} of {} from {} and {}: {}", call, p.d.describe(), p.a.describe(), p.b.describe(),
                cublasLtGetStatusString(status));
}
void check(cudaError_t result, const char* call) {
    if (result != cudaSuccess) throw_error(ExitCode::internal, "CUDA: {}: {}", call, cudaGetErrorString(result));
}

struct Library {
    cublasLtHandle_t handle = nullptr;
    void* workspace = nullptr;
    ProductChoices choices;

    explicit Library(const DeviceProperties& device)
        : choices(AlgorithmTable(fmt::format("cuBLASLt {}", cublasLtGetVersion()),
                                 fmt::format("{} ({}.{}, {} multiprocessors)", device.name, device.major, device.minor, device.multiprocessors))) {
        const cublasStatus_t status = cublasLtCreate(&handle);
        if (status != CUBLAS_STATUS_SUCCESS) throw_error(ExitCode::internal, "CUDA: cublasLtCreate: {}", cublasLtGetStatusString(status));
        workspace = allocate(kWorkspaceBytes);
    }
    ~Library() {
        release(workspace);
        cublasLtDestroy(handle);
    }
};

Library& library_of(Context& context) {
    std::shared_ptr<void>& slot = context.products();
    if (!slot) slot = std::make_shared<Library>(context.device());
    return *static_cast<Library*>(slot.get());
}
Library& library_of(Stream& stream) { return library_of(stream.cuda()); }

cudaStream_t queue_of(Stream& stream) { return static_cast<cudaStream_t>(stream.cuda().queue()); }

cudaDataType_t type_of(DType dtype) { return dtype == DType::f32 ? CUDA_R_32F : CUDA_R_16BF; }

// What cuBLASLt wants to know of a product.
struct Call {
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a, b, c, d;
    float alpha, beta;

    explicit Call(const Product& p) : alpha(p.alpha), beta(p.c.empty() ? 0.0f : 1.0f) {
        check(cublasLtMatmulDescInit(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescInit", p);
        set(CUBLASLT_MATMUL_DESC_TRANSA, p.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, p);
        set(CUBLASLT_MATMUL_DESC_TRANSB, p.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, p);
        if (!p.bias.empty()) {
            set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS, p);
            set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias.data, p);
        }
        lay_out(a, p.a, p);
        lay_out(b, p.b, p);
        lay_out(c, p.c.empty() ? p.d : p.c, p);
        lay_out(d, p.d, p);
    }

    cublasStatus_t run(Stream& stream, const Product& p, const cublasLtMatmulAlgo_t& algorithm) { return run(stream.cuda(), p, algorithm); }
    cublasStatus_t run(Context& context, const Product& p, const cublasLtMatmulAlgo_t& algorithm) {
        const Library& library = library_of(context);
        return cublasLtMatmul(library.handle, &operation, &alpha, p.b.data, &b, p.a.data, &a, &beta, p.c.empty() ? p.d.data : p.c.data, &c, p.d.data,
                              &d, &algorithm, library.workspace, kWorkspaceBytes, static_cast<cudaStream_t>(context.queue()));
    }

  private:
    template <class T> void set(cublasLtMatmulDescAttributes_t name, const T& value, const Product& p) {
        check(cublasLtMatmulDescSetAttribute(&operation, name, &value, sizeof value), "cublasLtMatmulDescSetAttribute", p);
    }
    static void lay_out(cublasLtMatrixLayoutOpaque_t& layout, const View& view, const Product& p) {
        // Of a single row the distance to the next means nothing, and may be any number.
        const std::int64_t stride = view.size(0) > 1 ? view.row_stride() : round_up(view.size(1), kRowPack);
        check(cublasLtMatrixLayoutInit(&layout, type_of(view.dtype), static_cast<std::uint64_t>(view.size(1)),
                                       static_cast<std::uint64_t>(view.size(0)), stride),
              "cublasLtMatrixLayoutInit", p);
    }
};

class Preference {
  public:
    explicit Preference(const Product& p) {
        check(cublasLtMatmulPreferenceInit(&preference_), "cublasLtMatmulPreferenceInit", p);
        set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceBytes}, p);
        set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE}, p);
        for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                                CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
            set(name, std::uint32_t{16}, p);
    }
    cublasLtMatmulPreference_t get() { return &preference_; }

  private:
    template <class T> void set(cublasLtMatmulPreferenceAttributes_t name, const T& value, const Product& p) {
        check(cublasLtMatmulPreferenceSetAttribute(&preference_, name, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute", p);
    }
    cublasLtMatmulPreferenceOpaque_t preference_;
};

template <class T> T config_of(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t name, T unknown) {
    T value = unknown;
    std::size_t written = 0;
    return cublasLtMatmulAlgoConfigGetAttribute(&algorithm, name, &value, sizeof value, &written) == CUBLAS_STATUS_SUCCESS ? value : unknown;
}

bool splits_depth(const cublasLtMatmulAlgo_t& algorithm) {
    return config_of<std::int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, 1) > 1 ||
           config_of<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, CUBLASLT_REDUCTION_SCHEME_NONE) !=
               CUBLASLT_REDUCTION_SCHEME_NONE;
}

// A trial of a product's shape on numbers of its own.
class Trial {
  public:
    Trial(Stream& stream, const ProductKey& key) : stream_(stream), key_(key), depth_(key.depth > 0 ? key.depth : kTimedDepth) {
        rows_ = std::clamp(kTimedBytes / (key.columns * size_of(key.out)), kFewestTimedRows, kMostTimedRows);
        Cuts count;
        lay_out(count);
        memory_.reset(allocate(count.bytes()));
        Cuts cuts(memory_.get());
        lay_out(cuts);
        for (const View& view : {a_, b_, bias_}) fill(view);
        stream_.cuda().fill_zero(d_.data, static_cast<std::size_t>(rows_ * d_.row_stride() * size_of(d_.dtype)));  // which is read where it is c
    }

    std::vector<cublasLtMatmulAlgo_t> candidates() {
        const Product whole = rows(0, rows_, d_);
        Call call(whole);
        Preference preference(whole);
        cublasLtMatmulHeuristicResult_t results[kCandidates];
        int count = 0;
        check(cublasLtMatmulAlgoGetHeuristic(library_of(stream_).handle, &call.operation, &call.b, &call.a, &call.c, &call.d, preference.get(),
                                             kCandidates, results, &count),
              "cublasLtMatmulAlgoGetHeuristic", whole);
        std::vector<cublasLtMatmulAlgo_t> found;
        for (int i = 0; i < count; ++i)
            if (results[i].state == CUBLAS_STATUS_SUCCESS && !splits_depth(results[i].algo)) found.push_back(results[i].algo);
        return found;
    }

    // Some rows alone have the bits that they have among as many as are timed, more than the device computes at once: what hands out its work by
    // the number of rows shows it there.
    bool keeps_rows(const cublasLtMatmulAlgo_t& algorithm) {
        static_assert(kFewestTimedRows >= 384, "rows 200 to 328, and 40 before the last 24");
        const std::array<std::pair<std::int64_t, std::int64_t>, 4> parts = {{{0, 1}, {40, 5}, {200, 129}, {rows_ - 64, 40}}};  // first, count
        std::vector<std::vector<char>> among_all;
        if (!run(0, rows_, algorithm)) return false;
        for (const auto& [first, count] : parts) among_all.push_back(numbers(first, count));
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const auto& [first, count] = parts[i];
            if (!run(first, count, algorithm) || numbers(0, count) != among_all[i]) return false;
        }
        return true;
    }

    // The least of some runs, in milliseconds.
    float time(const cublasLtMatmulAlgo_t& algorithm) {
        const Product whole = rows(0, rows_, d_);
        Call call(whole);
        Event begin, end;
        float least = 0.0f;
        for (int run = 0; run <= kTimedRuns; ++run) {  // the first is none: code is loaded
            check(cudaEventRecord(begin.event, queue_of(stream_)), "cudaEventRecord");
            check(call.run(stream_, whole, algorithm), "cublasLtMatmul", whole);
            check(cudaEventRecord(end.event, queue_of(stream_)), "cudaEventRecord");
            check(cudaEventSynchronize(end.event), "cudaEventSynchronize");
            float elapsed = 0.0f;
            check(cudaEventElapsedTime(&elapsed, begin.event, end.event), "cudaEventElapsedTime");
            if (run == 1 || (run > 1 && elapsed < least)) least = elapsed;
        }
        return least;
    }

  private:
    struct Event {
        cudaEvent_t event = nullptr;
        Event() { check(cudaEventCreate(&event), "cudaEventCreate"); }
        ~Event() { cudaEventDestroy(event); }
        Event(const Event&) = delete;
        Event& operator=(const Event&) = delete;
    };
    struct Release {
        void operator()(void* memory) const { release(memory); }
    };

    void lay_out(Cuts& cuts) {
        a_ = key_.a_transposed ? cuts.take(key_.dtype, depth_, rows_) : cuts.take(key_.dtype, rows_, depth_);
        b_ = key_.b_transposed ? cuts.take(key_.dtype, key_.columns, depth_) : cuts.take(key_.dtype, depth_, key_.columns);
        d_ = cuts.take(key_.out, rows_, key_.columns);
        if (key_.has_bias) bias_ = cuts.take(key_.out, key_.columns);
    }

    // Numbers in [-1, 1), some of them again and again.
    void fill(const View& view) {
        constexpr std::size_t kNumbers = 1 << 16;
        if (view.empty()) return;
        std::vector<float> numbers(kNumbers);
        for (std::size_t i = 0; i < kNumbers; ++i) numbers[i] = 2.0f * uniform(1, 0, i) - 1.0f;
        std::vector<bf16> rounded(kNumbers);
        for (std::size_t i = 0; i < kNumbers; ++i) rounded[i] = to_bf16(numbers[i]);
        const void* const source = view.dtype == DType::f32 ? static_cast<const void*>(numbers.data()) : rounded.data();
        const std::size_t total = static_cast<std::size_t>((view.rank < 2 ? 1 : view.size(0)) * view.row_stride() * size_of(view.dtype));
        // Less than a power of two: rows of one do not become equal.
        const std::size_t first = std::min(total, kNumbers * static_cast<std::size_t>(size_of(view.dtype)) - 1024);
        char* const memory = static_cast<char*>(view.data);
        stream_.cuda().copy_in(memory, source, first);
        for (std::size_t filled = first; filled < total; filled += std::min(filled, total - filled))
            stream_.cuda().copy_across(memory + filled, memory, std::min(filled, total - filled));
        stream_.synchronize();
    }

    Product rows(std::int64_t first, std::int64_t count, const View& d) const {
        Product part;
        part.a = key_.a_transposed ? a_.columns(first, count) : a_.rows(first, count);
        part.a_transposed = key_.a_transposed;
        part.b = b_;
        part.b_transposed = key_.b_transposed;
        part.d = d.rows(0, count);
        if (key_.has_c) part.c = part.d;
        part.bias = bias_;
        return part;
    }

    // Those rows of the product, as the first of d. False where the library does not do it.
    bool run(std::int64_t first, std::int64_t count, const cublasLtMatmulAlgo_t& algorithm) {
        const Product part = rows(first, count, d_);
        stream_.cuda().fill_zero(d_.data, static_cast<std::size_t>(count * d_.row_stride() * size_of(d_.dtype)));  // c, where there is one
        return Call(part).run(stream_, part, algorithm) == CUBLAS_STATUS_SUCCESS;
    }
    // Rows of d; what lies between them stays zero.
    std::vector<char> numbers(std::int64_t first, std::int64_t count) {
        std::vector<char> bytes(static_cast<std::size_t>(count * d_.row_stride() * size_of(d_.dtype)));
        stream_.cuda().copy_out(bytes.data(), d_.rows(first, count).data, bytes.size());
        stream_.synchronize();
        return bytes;
    }

    Stream& stream_;
    const ProductKey key_;
    std::int64_t rows_ = 0, depth_;
    std::unique_ptr<void, Release> memory_;
    View a_, b_, d_, bias_;
};

}  // namespace

ProductChoices& choices_of(Stream& stream) { return library_of(stream).choices; }

namespace {

// Nothing is timed: for tools under which a kernel takes a hundred times its time.
bool takes_the_first() {
    const char* const text = std::getenv("TEMPER_CUDA_PRODUCTS");
    return text != nullptr && std::string_view(text) == "first";
}

AlgorithmTable::Algorithm try_algorithms(Stream& stream, const ProductKey& key) {
    Trial trial(stream, key);
    std::optional<cublasLtMatmulAlgo_t> best;
    float least = 0.0f;
    for (const cublasLtMatmulAlgo_t& candidate : trial.candidates()) {
        if (!trial.keeps_rows(candidate)) continue;
        const float elapsed = takes_the_first() ? 0.0f : trial.time(candidate);
        if (best && elapsed >= least) continue;
        best = candidate;
        least = elapsed;
        if (takes_the_first()) break;
    }
    if (!best)
        throw_error(ExitCode::internal,
                    "CUDA: cuBLASLt {} has no product of {} with {} columns and depth {} whose rows keep their bits; take another "
                    "version of it",
                    cublasLtGetVersion(), name_of(key.dtype), key.columns, key.depth);
    AlgorithmTable::Algorithm algorithm;
    static_assert(sizeof algorithm == sizeof *best, "an algorithm is 64 bytes");
    std::copy_n(best->data, algorithm.size(), algorithm.begin());
    return algorithm;
}

}  // namespace

// Once a process: where candidates are equally fast the next trial might choose another one, and streams would differ in their bits.
AlgorithmTable::Algorithm choose_algorithm(Stream& stream, const ProductKey& key) {
    static std::mutex mutex;
    static std::map<std::pair<std::string, ProductKey>, AlgorithmTable::Algorithm> chosen;  // by device
    const std::lock_guard lock(mutex);
    const std::pair<std::string, ProductKey> place(choices_of(stream).table().describe(), key);
    const auto found = chosen.find(place);
    return found != chosen.end() ? found->second : chosen.emplace(place, try_algorithms(stream, key)).first->second;
}

std::size_t product_bytes() { return kWorkspaceBytes; }

namespace {

// A product whose algorithm is known.
struct ChosenProduct {
    Product product;
    cublasLtMatmulAlgo_t algorithm;
};
void issue_product(Context& context, const char* payload) {
    ChosenProduct chosen;
    std::memcpy(&chosen, payload, sizeof chosen);
    check(Call(chosen.product).run(context, chosen.product, chosen.algorithm), "cublasLtMatmul", chosen.product);
}

}  // namespace

void multiply(Stream& stream, const Product& product) {
    if (product.d.size(0) == 0) return;
    const AlgorithmTable::Algorithm* const algorithm = choices_of(stream).find(stream, product);
    if (algorithm == nullptr) return;
    ChosenProduct chosen{product, {}};
    std::copy_n(algorithm->begin(), std::size(chosen.algorithm.data), chosen.algorithm.data);
    if (Commands* const commands = stream.cuda().recorded()) return commands->add(issue_product, chosen);
    check(Call(product).run(stream, product, chosen.algorithm), "cublasLtMatmul", product);
}

}  // namespace temper::cuda
