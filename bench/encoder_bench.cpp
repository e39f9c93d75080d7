// The ops of an encoder layer at the shapes of all-MiniLM-L6-v2 (384 wide, 12 heads, 1536 inside), on one thread: float32 in panels, bfloat16, and
// 8-bit integers. GFLOP/s count products alone.
//   encoder_bench [--isa=NAME] [options of Google Benchmark, such as --benchmark_filter=int8]
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_workloads.h"
#include "kernels/ops.h"

namespace temper {
namespace {

constexpr std::int64_t kWidth = 384, kHeads = 12, kInner = 1536, kTokens = 256;
std::string isa = "auto";

enum class Form { f32, bf16, int8, int8_wide };  // wide: inputs of two bytes, where the processor multiplies bytes

struct Layer {
    Stream stream{1, parse_isa(isa)};
    Arena arena{std::size_t{64} << 20};
    Form form;
    explicit Layer(Form f) : form(f) {}

    View take(std::int64_t rows, std::int64_t columns, float scale = 1.0f) {
        const View view = arena.take(form == Form::bf16 ? DType::bf16 : DType::f32, {rows, columns});
        fill(view, scale);
        return view;
    }
    View vector(std::int64_t count) {
        const View view = arena.take(DType::f32, {1, count});
        fill(view, 1.0f);
        return View(view.data, DType::f32, {count});
    }
};

// A linear of one of the forms, with its epilogue.
void product(benchmark::State& state, Form form, std::int64_t out, std::int64_t in, Epilogue::Kind kind) {
    Layer layer(form);
    const View weight = layer.take(out, in, 0.05f), x = layer.take(kTokens, in), y = layer.take(kTokens, out), normed = layer.take(kTokens, out);
    const View bias = layer.vector(out), norm = layer.vector(out);
    PreparedLinear::Options options;
    options.backward = false;
    options.panels = form == Form::f32;
    const PreparedLinear floats(layer.stream, Span<const View>(&weight, 1), bias, {}, options);
    const Int8Input input{std::vector<float>(static_cast<std::size_t>(in), 127.0f), form == Form::int8_wide ? Int8Linear::widest(in) : 127};
    const Int8Linear bytes(layer.stream, Span<const View>(&weight, 1), bias, input);
    Epilogue epilogue;
    if (kind == Epilogue::Kind::pointwise) epilogue = Epilogue::pointwise(Pointwise::gelu);
    if (kind == Epilogue::Kind::residual) epilogue = Epilogue::add_residual_layer_norm(y, norm, norm, 1e-12f, normed);
    for ([[maybe_unused]] auto iteration : state) {
        if (kind == Epilogue::Kind::residual) fill(y, 1.0f);  // which it adds to
        if (form >= Form::int8) ops::linear(layer.stream, y, x, bytes, epilogue);
        else ops::linear(layer.stream, y, x, floats, View(), epilogue);
    }
    state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(kTokens * out * in * state.iterations()), benchmark::Counter::kIsRate);
}

// Sentences of `length` tokens that see themselves in both directions.
void attention(benchmark::State& state, Form form, std::int64_t length) {
    Layer layer(form);
    const std::int64_t n = kTokens / length * length;
    const View qkv = layer.take(n, 3 * kWidth), out = layer.take(n, kWidth);
    const auto part = [n](const View& x, std::int64_t first) { return x.columns(first, kWidth).reshape({n, kHeads, kWidth / kHeads}); };
    std::vector<Segment> segments;
    for (std::int64_t begin = 0; begin < n; begin += length) segments.push_back({begin, length, begin, 0, 0, 0});
    AttentionRule rule{0.1767767f};
    rule.causal = false;
    for ([[maybe_unused]] auto iteration : state)
        ops::attention(layer.stream, part(out, 0), {}, part(qkv, 0), part(qkv, kWidth), part(qkv, 2 * kWidth), segments, rule);
    state.counters["FLOP/s"] = benchmark::Counter(4.0 * static_cast<double>(n * length * kWidth * state.iterations()), benchmark::Counter::kIsRate);
}

void rows(benchmark::State& state, Form form, bool norm) {
    Layer layer(form);
    const std::int64_t width = norm ? kWidth : kInner;
    const View x = layer.take(kTokens, width), y = layer.take(kTokens, width), weight = layer.vector(width);
    for ([[maybe_unused]] auto iteration : state) {
        if (norm) ops::layer_norm(layer.stream, y, x, weight, weight, 1e-12f);
        else ops::pointwise(layer.stream, y, Pointwise::gelu);
    }
}

void add_all() {
    const auto add = [](const std::string& name, auto function, auto... arguments) {
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, arguments...); })->Unit(benchmark::kMicrosecond);
    };
    for (const auto& [form, name] :
         {std::pair{Form::f32, std::string("f32/")}, {Form::bf16, "bf16/"}, {Form::int8, "int8/"}, {Form::int8_wide, "int8_wide/"}}) {
        add(name + "qkv", product, form, 3 * kWidth, kWidth, Epilogue::Kind::none);
        add(name + "out+norm", product, form, kWidth, kWidth, Epilogue::Kind::residual);
        add(name + "up+gelu", product, form, kInner, kWidth, Epilogue::Kind::pointwise);
        add(name + "down+norm", product, form, kWidth, kInner, Epilogue::Kind::residual);
        if (form >= Form::int8) continue;
        for (const std::int64_t length : {10, 20, 40, 256}) add(name + "attention/" + std::to_string(length), attention, form, length);
        add(name + "layer_norm", rows, form, true);
        add(name + "gelu", rows, form, false);
    }
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i)
        if (std::strncmp(argv[i], "--isa=", 6) == 0) {
            temper::isa = argv[i] + 6;
            for (--argc; i < argc; ++i) argv[i] = argv[i + 1];
        }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    temper::add_all();
    benchmark::RunSpecifiedBenchmarks();
}
