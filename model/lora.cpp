#include "model/lora.h"

#include <algorithm>
#include <cmath>

#include "kernels/random.h"

namespace temper {

namespace {

bool is_target(const std::vector<std::string>& targets, const std::string& name) {
    return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return target == "all-linear" || target == name; });
}

void check_targets(const std::vector<std::string>& targets, const std::vector<LinearShape>& linears) {
    if (targets.empty()) throw_error(ExitCode::usage, "lora.target_modules is empty: name linear layers, or all-linear");
    for (const std::string& target : targets) {
        if (target == "all-linear") continue;
        if (std::any_of(linears.begin(), linears.end(), [&](const LinearShape& l) { return l.name == target; })) continue;
        std::string known = "all-linear";
        for (const LinearShape& linear : linears) known += ", " + linear.name;
        throw_error(ExitCode::usage, "lora.target_modules: '{}' is no linear layer of this model's blocks; known: {}", target, known);
    }
}

}  // namespace

LoraLayout make_lora_layout(const ModelConfig& config, const LoraSettings& settings) {
    const std::vector<LinearShape> linears = block_linears(config);
    check_targets(settings.target_modules, linears);
    if (settings.r < 1 || settings.r > 4096) throw_error(ExitCode::usage, "lora.r is {}, expected 1 to 4096", settings.r);
    LoraLayout layout;
    layout.settings = settings;
    const double divisor = settings.use_rslora ? std::sqrt(static_cast<double>(settings.r)) : static_cast<double>(settings.r);
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        for (const LinearShape& linear : linears) {
            if (!is_target(settings.target_modules, linear.name)) continue;
            LoraModule module;
            module.path = fmt::format("model.layers.{}.{}.{}", layer, linear.block, linear.name);
            module.layer = layer;
            module.name = linear.name;
            module.in = linear.in;
            module.out = linear.out;
            module.rank = settings.r;
            module.scale = static_cast<float>(settings.alpha / divisor);
            module.offset_a = layout.parameters;
            module.offset_b = module.offset_a + module.rank * module.in;
            layout.parameters = module.offset_b + module.out * module.rank;
            layout.modules.push_back(module);
        }
    }
    return layout;
}

const LoraModule* LoraLayout::find(std::int64_t layer, const std::string& name) const {
    for (const LoraModule& module : modules)
        if (module.layer == layer && module.name == name) return &module;
    return nullptr;
}

std::string LoraLayout::describe(std::int64_t index) const {
    for (const LoraModule& module : modules) {
        const std::int64_t in_a = index - module.offset_a, in_b = index - module.offset_b;
        if (in_a >= 0 && in_a < module.rank * module.in)
            return fmt::format("{}.lora_A.weight [{}, {}]", module.path, in_a / module.in, in_a % module.in);
        if (in_b >= 0 && in_b < module.out * module.rank)
            return fmt::format("{}.lora_B.weight [{}, {}]", module.path, in_b / module.rank, in_b % module.rank);
    }
    return fmt::format("parameter {}", index);
}

void init_lora(const LoraLayout& layout, std::uint64_t seed, float* parameters) {
    for (std::size_t m = 0; m < layout.modules.size(); ++m) {
        const LoraModule& module = layout.modules[m];
        const float bound = 1.0f / std::sqrt(static_cast<float>(module.in));
        for (std::int64_t i = 0; i < module.rank * module.in; ++i)
            parameters[module.offset_a + i] = (2.0f * uniform(seed, m, static_cast<std::uint64_t>(i)) - 1.0f) * bound;
        std::fill_n(parameters + module.offset_b, module.out * module.rank, 0.0f);
    }
}

}  // namespace temper
