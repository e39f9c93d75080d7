// The ops against the measured peak, by Google Benchmark: GFLOP/s and share of peak of products, adapted linear layers, the loss,
// attention, and the time of what is not a product, at the shapes of SmolLM2-135M and Qwen2.5-0.5B.
//   kernels_bench [--isa=NAME] [--threads=N] [--tokens=N] [options of Google Benchmark, such as --benchmark_filter=product]
// The peak (temper bench peak) is measured again beside every figure: machines change their clocks.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_workloads.h"
#include "kernels/ops.h"
#include "kernels/peak.h"

namespace temper {
namespace {

struct Bench {
    std::string isa = "auto";
    int threads = 2;
    std::int64_t tokens = 2048;
} options;

// Stream and memory of one benchmark.
struct Workspace {
    Stream stream{options.threads, parse_isa(options.isa)};
    Arena arena{std::size_t{1} << 30};

    View take(std::int64_t rows, std::int64_t columns, float scale = 1.0f, DType dtype = DType::bf16) {
        const View view = arena.take(dtype, {rows, columns});
        fill(view, scale);
        return view;
    }
    PreparedLinear linear(std::int64_t out, std::int64_t in, std::vector<AdapterSlot> slots = {}) {
        const View weight = take(out, in, 0.05f);
        return PreparedLinear(stream, Span<const View>(&weight, 1), View(), std::move(slots), {});
    }
};

template <class Work> void time(benchmark::State& state, Workspace& space, double flops, const Work& work) {
    double peak = 0.0;  // the best of some: the machine is shared
    for (int i = 0; i < 5 && flops > 0.0; ++i) peak = std::max(peak, peak_flops(space.stream, DType::bf16));
    work();
    for ([[maybe_unused]] auto iteration : state) work();
    if (flops == 0.0) return;
    using benchmark::Counter;
    const double all = flops * static_cast<double>(state.iterations());
    state.counters["FLOP/s"] = Counter(all, Counter::kIsRate);
    state.counters["of_peak_%"] = Counter(100.0 * all / peak, Counter::kIsRate);
}

void product(benchmark::State& state, std::int64_t n, std::int64_t out, std::int64_t in) {
    Workspace space;
    const PreparedLinear weight = space.linear(out, in);
    const View x = space.take(n, in), y = space.take(n, out);
    time(state, space, 2.0 * static_cast<double>(n * out * in), [&] { ops::linear(space.stream, y, x, weight, View()); });
}

// Parts of a stacked linear, each with an adapter of rank 16.
void adapted(benchmark::State& state, bool backward, std::int64_t in, const std::vector<std::int64_t>& outs) {
    constexpr std::int64_t rank = 16;
    Workspace space;
    const std::int64_t n = options.tokens;
    std::int64_t out = 0, parameters = 0;
    std::vector<AdapterSlot> slots;
    for (const std::int64_t size : outs) {
        slots.push_back({out, size, rank, 2.0f, parameters, parameters + rank * in});
        out += size;
        parameters += rank * (in + size);
    }
    std::vector<Leaf> leaves;
    for (std::int64_t begin = 0; begin < n; begin += 512) leaves.push_back({begin, std::min<std::int64_t>(512, n - begin)});
    PreparedLinear weight = space.linear(out, in, slots);
    const View x = space.take(n, in), y = space.take(n, out, 0.1f), d_x = space.take(n, in);
    const View s = space.take(n, static_cast<std::int64_t>(outs.size()) * rank);
    const View gradients = space.take(static_cast<std::int64_t>(leaves.size()), parameters, 0.02f, DType::f32);
    weight.refresh_adapter(space.stream, View(gradients.data, DType::f32, {parameters}));
    const double dense = 2.0 * static_cast<double>(n * in * out), low_rank = 2.0 * static_cast<double>(n * parameters);
    if (backward) time(state, space, dense + 2.0 * low_rank, [&] { ops::linear_backward(space.stream, d_x, gradients, y, weight, x, s, leaves); });
    else time(state, space, dense + low_rank, [&] { ops::linear(space.stream, y, x, weight, s); });
}

void loss(benchmark::State& state, bool gradient, std::int64_t in, std::int64_t vocabulary) {
    Workspace space;
    const std::int64_t n = 512;
    const PreparedLinear head = space.linear(vocabulary, in);
    const View x = space.take(n, in), d_x = space.take(n, in);
    std::vector<float> nll(static_cast<std::size_t>(n));
    std::vector<std::int32_t> correct(nll.size()), rows, labels;
    for (std::int32_t i = 0; i < n; ++i) {
        rows.push_back(i);
        labels.push_back(i * 7 % static_cast<std::int32_t>(vocabulary));
    }
    const View nll_view(nll.data(), DType::f32, {n}), correct_view(correct.data(), DType::i32, {n});
    time(state, space, (gradient ? 4.0 : 2.0) * static_cast<double>(n * in * vocabulary),
         [&] { ops::linear_cross_entropy(space.stream, nll_view, correct_view, gradient ? d_x : View(), x, head, rows, labels, 1.0f); });
}

// Documents of `length` tokens. FLOPs count the causal half: 2 products forward, 5 backward, of 2 d operations a pair of query and key.
void attention(benchmark::State& state, bool backward, std::int64_t heads, std::int64_t kv_heads, std::int64_t length) {
    constexpr std::int64_t d = 64;
    Workspace space;
    const std::int64_t n = std::max(options.tokens, length) / length * length;
    const View qkv = space.take(n, (heads + 2 * kv_heads) * d), d_qkv = space.take(n, (heads + 2 * kv_heads) * d);
    const View out = space.take(n, heads * d), d_out = space.take(n, heads * d), lse = space.arena.take(DType::f32, {n, heads});
    const auto part = [&](const View& x, std::int64_t first, std::int64_t count) { return x.columns(first * d, count * d).reshape({n, count, d}); };
    std::vector<Segment> segments;
    for (std::int64_t begin = 0; begin < n; begin += length) segments.push_back({begin, length, begin, 0, 0, 0});
    const View q = part(qkv, 0, heads), k = part(qkv, heads, kv_heads), v = part(qkv, heads + kv_heads, kv_heads);
    const auto forward = [&] { ops::attention(space.stream, part(out, 0, heads), lse, q, k, v, segments, {0.125f}); };
    forward();
    const double pairs = static_cast<double>(n * (length + 1) / 2 * heads);
    if (!backward) return time(state, space, 4.0 * d * pairs, forward);
    time(state, space, 10.0 * d * pairs, [&] {
        ops::attention_backward(space.stream, part(d_qkv, 0, heads), part(d_qkv, heads, kv_heads), part(d_qkv, heads + kv_heads, kv_heads),
                                part(d_out, 0, heads), part(out, 0, heads), lse, q, k, v, segments, {0.125f});
    });
}

void norms(benchmark::State& state, bool backward, std::int64_t width) {
    Workspace space;
    const View x = space.take(options.tokens, width), y = space.take(options.tokens, width), d_x = space.take(options.tokens, width);
    const View weight(space.take(1, width, 1.0f, DType::f32).data, DType::f32, {width});
    time(state, space, 0.0, [&] {
        if (backward) ops::rms_norm_backward(space.stream, d_x, y, x, weight, 1e-5f, View());
        else ops::rms_norm(space.stream, y, x, weight, 1e-5f);
    });
}

void activation(benchmark::State& state, bool backward, std::int64_t width) {
    Workspace space;
    const View gate_up = space.take(options.tokens, 2 * width), d_gate_up = space.take(options.tokens, 2 * width);
    const View activated = space.take(options.tokens, width);
    time(state, space, 0.0, [&] {
        if (backward) ops::swiglu_backward(space.stream, d_gate_up, activated, gate_up);
        else ops::swiglu(space.stream, activated, gate_up);
    });
}

template <class Function, class... Arguments> void add(const std::string& name, Function function, Arguments... arguments) {
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, arguments...); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

void add_all() {
    using Shape = std::array<std::int64_t, 3>;
    for (const auto& [n, out, in] : {Shape{2048, 576, 576},
                                     {2048, 1536, 576},
                                     {2048, 576, 1536},
                                     {2048, 896, 896},
                                     {2048, 4864, 896},
                                     {512, 4864, 896},
                                     {2048, 896, 4864},
                                     {512, 49152, 576}})
        add("product/" + std::to_string(n) + "x" + std::to_string(out) + "x" + std::to_string(in), product, n, out, in);
    for (const bool backward : {false, true}) {
        const std::string way = backward ? "/backward" : "/forward";
        const auto layer = [&](const std::string& name, std::int64_t in, std::vector<std::int64_t> outs) {
            add(name + way, [=](benchmark::State& state) { adapted(state, backward, in, outs); });
        };
        layer("135M/qkv", 576, {576, 192, 192});
        layer("135M/output", 576, {576});
        layer("135M/gate_up", 576, {1536, 1536});
        layer("135M/down", 1536, {576});
        layer("0.5B/qkv", 896, {896, 128, 128});
        layer("0.5B/gate_up", 896, {4864, 4864});
        layer("0.5B/down", 4864, {896});
        add("135M/attention/512" + way, attention, backward, 9, 3, 512);
        add("135M/attention/2048" + way, attention, backward, 9, 3, 2048);
        add("0.5B/attention/1024" + way, attention, backward, 14, 2, 1024);
        add("135M/rms_norm" + way, norms, backward, 576);
        add("135M/swiglu" + way, activation, backward, 1536);
    }
    add("135M/loss", loss, false, 576, 49152);
    add("135M/loss+gradient", loss, true, 576, 49152);
}

// Takes our options out of the command line.
bool take_option(const char* argument) {
    const auto value = [&](const char* name) {
        return std::strncmp(argument, name, std::strlen(name)) == 0 ? argument + std::strlen(name) : nullptr;
    };
    if (const char* isa = value("--isa=")) options.isa = isa;
    else if (const char* threads = value("--threads=")) options.threads = std::atoi(threads);
    else if (const char* tokens = value("--tokens=")) options.tokens = std::atoll(tokens);
    else return false;
    return true;
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    std::vector<char*> rest;
    for (int i = 0; i < argc; ++i)
        if (i == 0 || !temper::take_option(argv[i])) rest.push_back(argv[i]);
    int count = static_cast<int>(rest.size());
    benchmark::Initialize(&count, rest.data());
    if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
    temper::Stream stream(temper::options.threads, temper::parse_isa(temper::options.isa));
    std::printf("%s, %d threads, %lld tokens; registers only: %.0f GFLOP/s in bfloat16\n", temper::name_of(stream.isa()), stream.threads(),
                static_cast<long long>(temper::options.tokens), temper::peak_flops(stream, temper::DType::bf16) * 1e-9);
    temper::add_all();
    benchmark::RunSpecifiedBenchmarks();
}
