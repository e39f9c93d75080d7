#include "model/lora_start.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "io/jobs.h"
#include "kernels/decompose.h"

namespace temper {
namespace {

constexpr std::string_view iterated = "pissa_niter_";
constexpr int most_factoring = 4;  // threads: each holds a weight in double

// Of pissa_niter_N; -1 for any other start.
std::int64_t iterations_of(const std::string& init) {
    if (!init.starts_with(iterated)) return -1;
    std::int64_t iterations = -1;
    const char* const end = init.data() + init.size();
    const auto [stop, error] = std::from_chars(init.data() + iterated.size(), end, iterations);
    return error == std::errc() && stop == end && iterations <= 1000 ? iterations : -1;
}

void check_rank(const LoraModule& module, const std::string& init) {
    const std::int64_t most = std::min({module.in, module.out, std::int64_t{2048}});  // what is saved has twice the rank
    if (module.rank > most)
        throw_error(ExitCode::usage, "lora.init_lora_weights: {} of {} ({}, {}) has at most rank {}, found {}", init, module.path, module.out,
                    module.in, most, module.rank);
}

void start_module(const LoraLayout& layout, const LoraModule& module, View weight, std::uint64_t seed, float* parameters) {
    const std::string& init = layout.settings.init;
    const bool qr = init == "olora";
    const std::int64_t iterations = iterations_of(init);
    const Factors factors = qr               ? leading_qr(weight, module.rank)
                            : iterations < 0 ? largest_singular(weight, module.rank)
                                             : approximate_singular(weight, module.rank, iterations, seed, static_cast<std::uint64_t>(module.index));
    // PiSSA divides the singular values by the scale; OLoRA takes Q and R as they are.
    const float share = qr ? 1.0f : 1.0f / std::sqrt(module.scale);
    std::transform(factors.right.begin(), factors.right.end(), parameters + module.offset_a, [=](float value) { return value * share; });
    std::transform(factors.left.begin(), factors.left.end(), parameters + module.offset_b, [=](float value) { return value * share; });
}

}  // namespace

bool starts_from_weights(const LoraSettings& settings) {
    return settings.init == "pissa" || settings.init == "olora" || iterations_of(settings.init) >= 0;
}

bool known_lora_start(const std::string& init) {
    return init == "true" || init == "gaussian" || init == "pissa" || init == "olora" || iterations_of(init) >= 0;
}

void check_lora_start(const LoraLayout& layout) {
    if (!starts_from_weights(layout.settings)) return;
    for (const LoraModule& module : layout.modules) check_rank(module, layout.settings.init);
    std::int64_t largest = layout.settings.r;
    for (const auto& [key, rank] : layout.settings.rank_pattern) largest = std::max(largest, static_cast<std::int64_t>(rank));
    if (largest > 2048)
        throw_error(ExitCode::usage, "lora.init_lora_weights: {} saves an adapter of twice the rank, {} is above 2048", layout.settings.init,
                    largest);
}

std::int64_t start_bytes(const LoraLayout& layout, int threads) {
    std::int64_t most = 0;
    for (const LoraModule& module : layout.modules) {
        const std::int64_t least = std::min(module.in, module.out);
        most = std::max(most, 12 * module.in * module.out + 8 * least * least);  // the weight in float and double, and a Gram matrix
    }
    return most * std::min(threads, most_factoring);
}

std::vector<int> start_owners(const LoraLayout& layout, int ranks) {
    std::vector<double> costs, loads(static_cast<std::size_t>(ranks));
    for (const LoraModule& module : layout.modules) {  // a Gram matrix and its eigenvectors
        const auto least = static_cast<double>(std::min(module.in, module.out)), most = static_cast<double>(std::max(module.in, module.out));
        costs.push_back(least * least * (most + 10.0 * least));
    }
    std::vector<std::size_t> order(costs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
    std::vector<int> owners(costs.size());
    for (const std::size_t module : order) {
        const auto free = std::min_element(loads.begin(), loads.end());
        owners[module] = static_cast<int>(free - loads.begin());
        *free += costs[module];
    }
    return owners;
}

void start_from_weights(const LoraLayout& layout, const TensorSource& weights, DType dtype, std::uint64_t seed, int threads, StartShare share,
                        float* parameters, const std::function<void()>& before_each) {
    check_lora_start(layout);
    const std::vector<int> owners = start_owners(layout, share.ranks);
    const auto count = static_cast<std::int64_t>(layout.modules.size());
    run_jobs<std::vector<float>>(std::min(threads, most_factoring), count, [&](std::int64_t index, std::vector<float>& memory) {
        if (owners[static_cast<std::size_t>(index)] != share.rank) return;
        if (before_each) before_each();
        const LoraModule& module = layout.modules[static_cast<std::size_t>(index)];
        memory.resize(static_cast<std::size_t>(module.out * module.in));
        const View weight(memory.data(), DType::f32, {module.out, module.in});
        weights.read(module.path + ".weight", weight);
        if (dtype == DType::bf16)
            for (float& value : memory) value = from_bf16(to_bf16(value));
        start_module(layout, module, weight, seed, parameters);
    });
}

void subtract_start(View weight, const LoraModule& module, const float* start) {
    const float *const a = start + module.offset_a, *const b = start + module.offset_b;
    std::vector<float> sum(static_cast<std::size_t>(module.in));
    for (std::int64_t row = 0; row < module.out; ++row) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (std::int64_t k = 0; k < module.rank; ++k)
            for (std::int64_t column = 0; column < module.in; ++column)
                sum[static_cast<std::size_t>(column)] += b[row * module.rank + k] * a[k * module.in + column];
        for (std::int64_t column = 0; column < module.in; ++column) {
            const float part = module.scale * sum[static_cast<std::size_t>(column)];
            if (weight.dtype == DType::f32) weight.row<float>(row)[column] -= part;
            else weight.row<bf16>(row)[column] = to_bf16(from_bf16(weight.row<bf16>(row)[column]) - part);
        }
    }
}

DifferenceAdapter difference_adapter(const ModelConfig& config, const LoraLayout& layout, const float* trained, const float* start) {
    LoraSettings settings = layout.settings;
    const double growth = settings.use_rslora ? std::sqrt(2.0) : 2.0;  // the scale stays
    settings.init = "true";
    settings.r *= 2;
    settings.alpha *= growth;
    for (auto& [key, rank] : settings.rank_pattern) rank *= 2;
    for (auto& [key, alpha] : settings.alpha_pattern) alpha *= growth;
    DifferenceAdapter difference{make_lora_layout(config, settings), {}};
    difference.parameters.resize(static_cast<std::size_t>(difference.layout.parameters));
    for (std::size_t i = 0; i < layout.modules.size(); ++i) {
        const LoraModule &from = layout.modules[i], &to = difference.layout.modules[i];
        float *const a = difference.parameters.data() + to.offset_a, *const b = difference.parameters.data() + to.offset_b;
        std::copy_n(start + from.offset_a, from.rank * from.in, std::copy_n(trained + from.offset_a, from.rank * from.in, a));
        for (std::int64_t row = 0; row < from.out; ++row)
            for (std::int64_t k = 0; k < from.rank; ++k) {
                b[row * to.rank + k] = trained[from.offset_b + row * from.rank + k];
                b[row * to.rank + from.rank + k] = -start[from.offset_b + row * from.rank + k];
            }
        if (from.offset_m >= 0) std::copy_n(trained + from.offset_m, from.out, difference.parameters.data() + to.offset_m);
    }
    std::copy_n(trained + layout.adapter_parameters(), layout.parameters - layout.adapter_parameters(),
                difference.parameters.data() + difference.layout.adapter_parameters());
    return difference;
}

}  // namespace temper
