// How much of the processor's peak the linear layers reach: GFLOP/s of forward, backward and cross-entropy on SmolLM2-135M's shapes
// (or tokens/s of the whole), against a loop of the same instruction on registers alone.
//   linear_bench [isa] [threads] [tokens]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "kernels/peak.h"

namespace temper {
namespace {

double seconds_of(const auto& work) {
    double best = 1e30;
    work();
    for (int repeat = 0; repeat < 7; ++repeat) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

struct Bench {
    Stream& stream;
    DType dtype;
    std::int64_t tokens;
    double peak;
    double total_seconds = 0.0;

    View random(Arena& arena, std::int64_t rows, std::int64_t columns, float scale) const {
        const View view = arena.take(dtype, {rows, columns});
        std::uint32_t state = 12345;
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < columns; ++c) {
                state = state * 1664525u + 1013904223u;
                const float value = (static_cast<float>(state >> 8) / 8388608.0f - 1.0f) * scale;
                if (dtype == DType::f32) view.row<float>(r)[c] = value;
                else view.row<bf16>(r)[c] = to_bf16(value);
            }
        return view;
    }
    void print(const char* name, double flop, double seconds) const {
        std::printf("  %-28s %8.3f ms %9.1f GFLOP/s %5.1f%% of peak\n", name, seconds * 1e3, flop / seconds * 1e-9, flop / seconds / peak * 100.0);
    }

    void layer(const char* name, std::int64_t in, const std::vector<std::int64_t>& outs, std::int64_t rank, int times) {
        std::int64_t out = 0, parameters = 0;
        std::vector<AdapterSlot> slots;
        for (const std::int64_t size : outs) {
            if (rank > 0) slots.push_back({out, size, rank, 2.0f, parameters, parameters + rank * in});
            out += size;
            parameters += rank * (in + size);
        }
        const std::int64_t ranks = static_cast<std::int64_t>(slots.size()) * rank;
        Arena arena(static_cast<std::size_t>((out * in + tokens * (2 * in + 2 * out + ranks + 256)) * 4 + 8 * parameters * 4 + (1 << 22)));
        const View weight = random(arena, out, in, 0.05f), x = random(arena, tokens, in, 1.0f), d_y = random(arena, tokens, out, 0.01f);
        const View y = arena.take(dtype, {tokens, out}), d_x = arena.take(dtype, {tokens, in}), s = arena.take(dtype, {tokens, ranks});
        const std::vector<View> parts = {weight};
        PreparedLinear prepared(stream, parts, View(), slots, {});
        std::vector<Leaf> leaves;
        for (std::int64_t begin = 0; begin < tokens; begin += 512) leaves.push_back({begin, std::min<std::int64_t>(512, tokens - begin)});
        const View gradients = arena.take(DType::f32, {static_cast<std::int64_t>(leaves.size()), parameters});
        const double dense = 2.0 * static_cast<double>(tokens * in * out), low_rank = 2.0 * static_cast<double>(tokens * parameters);
        const double forward = seconds_of([&] { ops::linear(stream, y, x, prepared, ranks > 0 ? s : View()); });
        const double backward = seconds_of([&] { ops::linear_backward(stream, d_x, gradients, d_y, prepared, x, ranks > 0 ? s : View(), leaves); });
        std::printf("%s: %lld -> %lld, rank %lld\n", name, static_cast<long long>(in), static_cast<long long>(out), static_cast<long long>(rank));
        print("forward", dense + low_rank, forward);
        print("backward", dense + 2.0 * low_rank, backward);
        total_seconds += times * (forward + backward);
    }

    void head(std::int64_t in, std::int64_t vocabulary) {
        Arena arena(static_cast<std::size_t>((vocabulary * in + 2 * tokens * (in + 64)) * 4 + (1 << 22)));
        const View weight = random(arena, vocabulary, in, 0.05f), x = random(arena, tokens, in, 1.0f), d_x = arena.take(dtype, {tokens, in});
        const std::vector<View> parts = {weight};
        const auto begin = std::chrono::steady_clock::now();
        PreparedLinear prepared(stream, parts, View(), {}, {});
        const double packing = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        std::vector<float> nll(static_cast<std::size_t>(tokens));
        std::vector<std::int32_t> correct(nll.size()), rows, labels;
        for (std::int32_t i = 0; i < tokens; ++i) {
            rows.push_back(i);
            labels.push_back(i * 7 % static_cast<std::int32_t>(vocabulary));
        }
        const View nll_view(nll.data(), DType::f32, {tokens}), correct_view(correct.data(), DType::i32, {tokens});
        const double flop = 2.0 * static_cast<double>(tokens * in * vocabulary);
        std::printf("head + cross-entropy: %lld -> %lld, packed in %.0f ms\n", static_cast<long long>(in), static_cast<long long>(vocabulary),
                    packing * 1e3);
        print("loss only", flop,
              seconds_of([&] { ops::linear_cross_entropy(stream, nll_view, correct_view, View(), x, prepared, rows, labels, 1.0f); }));
        const double both = seconds_of([&] { ops::linear_cross_entropy(stream, nll_view, correct_view, d_x, x, prepared, rows, labels, 1.0f); });
        print("loss and gradient", 2.0 * flop, both);
        total_seconds += both;
    }
};

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    using namespace temper;
    const std::string isa = argc > 1 ? argv[1] : "auto";
    Stream stream(argc > 2 ? std::atoi(argv[2]) : 1, isa == "float32" ? best_isa() : parse_isa(isa));
    const std::int64_t tokens = argc > 3 ? std::atoll(argv[3]) : 2048;
    const double peak = peak_flops(stream, isa == "float32" ? DType::f32 : DType::bf16);
    std::printf("%s, %d threads, %lld tokens; registers only: %.1f GFLOP/s\n", isa.c_str(), stream.threads(), static_cast<long long>(tokens),
                peak * 1e-9);
    Bench bench{stream, isa == "float32" ? DType::f32 : DType::bf16, tokens, peak};
    bench.layer("one matrix, no adapter", 576, {576}, 0, 0);
    bench.layer("q, k, v", 576, {576, 192, 192}, 16, 30);
    bench.layer("attention output", 576, {576}, 16, 30);
    bench.layer("gate, up", 576, {1536, 1536}, 16, 30);
    bench.layer("down", 1536, {576}, 16, 30);
    bench.head(576, 49152);
    std::printf("linear layers of a SmolLM2-135M step: %.0f ms, at most %.0f tokens/s\n", bench.total_seconds * 1e3,
                static_cast<double>(tokens) / bench.total_seconds);
}
