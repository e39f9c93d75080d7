// What a training pass costs by the length of its documents: forward, loss and backward over one micro-batch, and how much of it is
// attention, timed alone on the same shapes. The time a token is compared with
//   linear FLOPs / linear rate + attention FLOPs / attention rate, both rates measured at 2,048 tokens:
// a ratio well above 1 would be work that grows faster than it must.
//   length_bench MODEL_DIR [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "model/flops.h"
#include "train/sft_batch.h"

namespace temper {
namespace {

template <class Work> double seconds_of(int repeats, const Work& work) {
    double best = 1e30;
    for (int i = 0; i < repeats; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

struct Cost {
    double step, attention;                // seconds
    double linear_flops, attention_flops;  // of the pass
};

// All layers' attention, forward and backward, one document of n tokens.
double attention_seconds(Stream& stream, const ModelConfig& config, std::int64_t n, int repeats) {
    Arena arena(static_cast<std::size_t>(n * (2 * config.qkv_size() + 2 * config.attention_size()) * 2 + n * config.heads * 4) + (1 << 20));
    const View qkv = arena.take(DType::bf16, {n, config.qkv_size()}), d_qkv = arena.take(DType::bf16, {n, config.qkv_size()});
    const View out = arena.take(DType::bf16, {n, config.attention_size()}), d_out = arena.take(DType::bf16, {n, config.attention_size()});
    const View lse = arena.take(DType::f32, {n, config.heads});
    for (const View& view : {qkv, d_out})
        for (std::int64_t r = 0; r < n; ++r)
            for (std::int64_t c = 0; c < view.size(1); ++c) view.row<bf16>(r)[c] = to_bf16(static_cast<float>((r * 31 + c * 17) % 64 - 32) / 32.0f);
    const std::int64_t d = config.head_size;
    const auto part = [&](const View& x, std::int64_t first, std::int64_t heads) { return x.columns(first * d, heads * d).reshape({n, heads, d}); };
    const auto heads = [&](const View& x) { return x.reshape({n, config.heads, d}); };
    Segment segment;
    segment.length = n;
    const Span<const Segment> segments(&segment, 1);
    const std::int64_t k = config.heads, v = config.heads + config.key_value_heads;
    return static_cast<double>(config.layers) * seconds_of(repeats, [&] {
               ops::attention(stream, heads(out), lse, part(qkv, 0, config.heads), part(qkv, k, config.key_value_heads),
                              part(qkv, v, config.key_value_heads), segments, {0.125f});
               ops::attention_backward(stream, part(d_qkv, 0, config.heads), part(d_qkv, k, config.key_value_heads),
                                       part(d_qkv, v, config.key_value_heads), heads(d_out), heads(out), lse, part(qkv, 0, config.heads),
                                       part(qkv, k, config.key_value_heads), part(qkv, v, config.key_value_heads), segments, {0.125f});
           });
}

Cost measure(const Decoder& decoder, std::int64_t tokens) {
    TokenRow row;
    for (std::int64_t i = 0; i < tokens; ++i) {
        row.ids.push_back(static_cast<std::int32_t>((i * 131 + 7) % decoder.config().vocab_size));
        row.supervised.push_back(1);
    }
    const TokenDataset data = TokenDataset::from_rows({row});
    const StepRows step = cut_step(data, {0}, 512, decoder.config());
    SftBatch batch(decoder, {tokens, tokens, 1, Activations::Keep::all});
    std::vector<LeafResult> results;
    Cost cost{};
    // In turns, the best of each: the machine is shared.
    cost.step = cost.attention = 1e30;
    for (int round = 0; round < (tokens > 4096 ? 2 : 8); ++round) {
        cost.step = std::min(cost.step, seconds_of(1, [&] { batch.run(data, step, {0, 1}, 1.0f, results); }));
        cost.attention = std::min(cost.attention, attention_seconds(decoder.stream(), decoder.config(), tokens, tokens > 4096 ? 3 : 10));
    }
    cost.attention_flops = 3.5 * attention_flops(decoder.config(), tokens);
    cost.linear_flops = step.leaf_costs[0] - cost.attention_flops;
    return cost;
}

int run(int argc, char** argv) {
    if (argc < 2) return std::fprintf(stderr, "usage: length_bench MODEL_DIR [threads]\n"), 2;
    Stream stream(argc > 2 ? std::atoi(argv[2]) : 2);
    const ModelFiles files(argv[1]);
    const LoraLayout lora = make_lora_layout(files.config(), LoraSettings{});
    std::vector<float> parameters(static_cast<std::size_t>(lora.parameters));
    init_lora(lora, 1, parameters.data());
    Decoder decoder(stream, files, lora, {DType::bf16, true, 8192});
    decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    const std::vector<std::int64_t> lengths{512, 2048, 8192};
    std::vector<Cost> costs;
    for (const std::int64_t length : lengths) costs.push_back(measure(decoder, length));
    const Cost& base = costs[1];
    const double linear_rate = base.linear_flops / (base.step - base.attention), attention_rate = base.attention_flops / base.attention;
    std::printf("%d threads, %s; at 2,048 tokens linear %.0f GFLOP/s, attention %.0f GFLOP/s\n", stream.threads(), name_of(stream.isa()),
                linear_rate * 1e-9, attention_rate * 1e-9);
    std::printf("%8s %12s %12s %14s %14s %8s\n", "tokens", "seconds", "tokens/s", "us a token", "predicted us", "ratio");
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        const double n = static_cast<double>(lengths[i]);
        const double predicted = costs[i].linear_flops / linear_rate + costs[i].attention_flops / attention_rate;
        std::printf("%8ld %12.3f %12.1f %14.1f %14.1f %8.3f\n", static_cast<long>(lengths[i]), costs[i].step, n / costs[i].step,
                    costs[i].step / n * 1e6, predicted / n * 1e6, costs[i].step / predicted);
    }
    return 0;
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) { return temper::run(argc, argv); }
