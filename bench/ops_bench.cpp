// Times the ops that are not linears at the shape of SmolLM2-135M (9 heads on 3, d 64, D 576, F 1536) over 4 rows of 512 tokens.
//   ops_bench [threads] [isa]
// Attention's GFLOP/s count the causal half: 2 (forward) and 5 (backward) products of 2 d operations a pair of query and key.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace {

using namespace temper;

constexpr std::int64_t kTokens = 2048, kRow = 512, kHeads = 9, kKvHeads = 3, kHead = 64, kWidth = 576, kForward = 1536;

// The least of several runs: the machine is shared.
template <class Function> double seconds(const Function& function) {
    double best = 1e9;
    for (int run = 0; run < 15; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        function();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

void fill(const View& view) {
    std::uint32_t state = 12345;
    for (std::int64_t r = 0; r < view.size(0); ++r)
        for (std::int64_t c = 0; c < view.elements() / view.size(0); ++c) {
            state = state * 1664525u + 1013904223u;
            const float value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
            const std::int64_t at = r * view.stride[0] + c;
            if (view.dtype == DType::bf16) static_cast<bf16*>(view.data)[at] = to_bf16(value);
            else static_cast<float*>(view.data)[at] = value;
        }
}

void bench(Stream& stream, DType dtype) {
    Arena arena(std::size_t{256} << 20);
    const auto take = [&](std::int64_t columns) {
        const View view = arena.take(dtype, {kTokens, columns});
        fill(view);
        return view;
    };
    const View qkv = take((kHeads + 2 * kKvHeads) * kHead), d_qkv = take((kHeads + 2 * kKvHeads) * kHead);
    const View out = take(kHeads * kHead), d_out = take(kHeads * kHead), lse = arena.take(DType::f32, {kTokens, kHeads});
    const auto q_of = [](const View& x) { return x.columns(0, kHeads * kHead).reshape({kTokens, kHeads, kHead}); };
    const auto kv_of = [](const View& x, std::int64_t which) {
        return x.columns((kHeads + which * kKvHeads) * kHead, kKvHeads * kHead).reshape({kTokens, kKvHeads, kHead});
    };
    const auto heads = [](const View& x) { return x.reshape({kTokens, kHeads, kHead}); };
    std::vector<Segment> segments;
    for (std::int64_t begin = 0; begin < kTokens; begin += kRow) segments.push_back({begin, kRow, begin, 0, 0, 0});
    const double pairs = static_cast<double>(kTokens) * static_cast<double>(kRow + 1) / 2 * kHeads, scale = 1e-9 * pairs * 2 * kHead;

    const double forward = seconds([&] { ops::attention(stream, heads(out), lse, q_of(qkv), kv_of(qkv, 0), kv_of(qkv, 1), segments, 0.125f); });
    const double backward = seconds([&] {
        ops::attention_backward(stream, q_of(d_qkv), kv_of(d_qkv, 0), kv_of(d_qkv, 1), heads(d_out), heads(out), lse, q_of(qkv), kv_of(qkv, 0),
                                kv_of(qkv, 1), segments, 0.125f);
    });
    std::printf("%-8s attention forward %7.2f ms %6.0f GFLOP/s, backward %7.2f ms %6.0f GFLOP/s, 30 layers %.2f s\n", name_of(dtype), forward * 1e3,
                2 * scale / forward, backward * 1e3, 5 * scale / backward, 30 * (forward + backward));

    const View x = take(kWidth), y = take(kWidth), weight(arena.take(DType::f32, {kWidth}).data, DType::f32, {kWidth});
    fill(weight);
    const View gate_up = take(2 * kForward), d_gate_up = take(2 * kForward), activated = take(kForward);
    const auto report = [&](const char* name, double time) { std::printf("%-8s %-18s %7.3f ms\n", name_of(dtype), name, time * 1e3); };
    report("rms_norm", seconds([&] { ops::rms_norm(stream, y, x, weight, 1e-5f); }));
    report("rms_norm_backward", seconds([&] { ops::rms_norm_backward(stream, y, out, x, weight, 1e-5f, d_out); }));
    report("swiglu", seconds([&] { ops::swiglu(stream, activated, gate_up); }));
    report("swiglu_backward", seconds([&] { ops::swiglu_backward(stream, d_gate_up, activated, gate_up); }));
}

}  // namespace

int main(int argc, char** argv) {
    Stream stream(argc > 1 ? std::atoi(argv[1]) : 1, temper::parse_isa(argc > 2 ? argv[2] : "auto"));
    std::printf("%d thread(s), %s\n", stream.threads(), name_of(stream.isa()));
    bench(stream, DType::bf16);
    bench(stream, DType::f32);
}
