#include "model/lora.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "kernels/random.h"
#include "model/extended_model.h"
#include "model/lora_start.h"
#include "model/lora_targets.h"

namespace temper {

namespace {

std::string known_targets(const std::vector<LinearShape>& linears) {
    std::string known = "all-linear";
    for (const LinearShape& linear : linears) known += ", " + linear.name;
    return known;
}

// PEFT would adapt these too; here they stay as they are.
void refuse_outer(LoraTargets& targets, const ModelConfig& config) {
    for (const char* path : {"model.embed_tokens", "lm_head"})
        if (targets.adapts(path, -1, true))
            throw_error(ExitCode::usage, "lora.target_modules: '{}' cannot be adapted: adapters are for the linear layers of the model's {} blocks",
                        path, config.layers);
}

void add_saved(LoraLayout& layout, const ModelConfig& config) {
    const SavedNames names = parse_modules_to_save(layout.settings.modules_to_save);
    if (!names.embedding && !names.head) return;
    if (config.tied_head && !layout.settings.ensure_weight_tying)
        throw_error(ExitCode::internal, "make_lora_layout: the head is tied to the embedding, expected a model that was extended");
    const auto add = [&](bool embedding, bool head) {
        layout.saved.push_back({embedding, head, config.vocab_size, config.hidden_size, layout.parameters});
        layout.parameters += layout.saved.back().elements();
    };
    if (config.tied_head) return add(true, true);
    if (names.embedding) add(true, false);
    if (names.head) add(false, true);
}

}  // namespace

LoraLayout make_lora_layout(const ModelConfig& config, const LoraSettings& settings) {
    const std::vector<LinearShape> linears = block_linears(config);
    if (settings.r < 1 || settings.r > 4096) throw_error(ExitCode::usage, "lora.r is {}, expected 1 to 4096", settings.r);
    for (const std::int64_t layer : settings.layers_to_transform)
        if (!settings.from_file && (layer < 0 || layer >= config.layers))
            throw_error(ExitCode::usage, "lora.layers_to_transform: there is no layer {}, the model has {}, from 0", layer, config.layers);
    LoraTargets targets(settings);
    refuse_outer(targets, config);
    LoraLayout layout;
    layout.settings = settings;
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        for (const LinearShape& linear : linears) {
            LoraModule module;
            module.path = fmt::format("model.layers.{}.{}.{}", layer, linear.block, linear.name);
            if (!targets.adapts(module.path, layer, false)) continue;
            module.layer = layer;
            module.name = linear.name;
            module.in = linear.in;
            module.out = linear.out;
            module.rank = targets.rank_of(module.path);
            const double rank = static_cast<double>(module.rank), divisor = settings.use_rslora ? std::sqrt(rank) : rank;
            module.scale = static_cast<float>(targets.alpha_of(module.path) / divisor);
            module.offset_a = layout.parameters;
            module.offset_b = module.offset_a + module.rank * module.in;
            layout.parameters = module.offset_b + module.out * module.rank;
            if (settings.use_dora) {
                module.offset_m = layout.parameters;
                layout.parameters += module.out;
            }
            module.index = static_cast<std::int64_t>(layout.modules.size());
            layout.modules.push_back(module);
        }
    }
    targets.check_used(known_targets(linears));
    if (layout.modules.empty())
        throw_error(ExitCode::usage, "lora.target_modules: no linear layer of this model's blocks is named; known: {}", known_targets(linears));
    add_saved(layout, config);
    return layout;
}

std::vector<std::string> SavedModule::paths() const {
    std::vector<std::string> paths;
    if (embedding) paths.push_back("model.embed_tokens");
    if (head) paths.push_back("lm_head");
    return paths;
}

const SavedModule* LoraLayout::saved_embedding() const {
    const auto found = std::find_if(saved.begin(), saved.end(), [](const SavedModule& module) { return module.embedding; });
    return found == saved.end() ? nullptr : &*found;
}

const SavedModule* LoraLayout::saved_head() const {
    const auto found = std::find_if(saved.begin(), saved.end(), [](const SavedModule& module) { return module.head; });
    return found == saved.end() ? nullptr : &*found;
}

void init_saved(const LoraLayout& layout, const TensorSource& weights, float* parameters) {
    for (const SavedModule& module : layout.saved)
        weights.read(module.paths().front() + ".weight", View(parameters + module.offset, DType::f32, {module.rows, module.columns}));
}

const LoraModule* LoraLayout::find(std::int64_t layer, const std::string& name) const {
    for (const LoraModule& module : modules)
        if (module.layer == layer && module.name == name) return &module;
    return nullptr;
}

std::string layout_sha256(const LoraLayout& layout) {
    std::string text;
    for (const LoraModule& m : layout.modules)
        text += fmt::format("{} {} {} {} {} {} {} {}\n", m.path, m.in, m.out, m.rank, m.scale, m.offset_a, m.offset_b, m.offset_m);
    for (const SavedModule& m : layout.saved) text += fmt::format("{} {} {} {} {}\n", m.embedding, m.head, m.rows, m.columns, m.offset);
    return sha256_hex(text);
}

std::string LoraLayout::describe(std::int64_t index) const {
    for (const LoraModule& module : modules) {
        const std::int64_t in_a = index - module.offset_a, in_b = index - module.offset_b;
        if (in_a >= 0 && in_a < module.rank * module.in)
            return fmt::format("{}.lora_A.weight [{}, {}]", module.path, in_a / module.in, in_a % module.in);
        if (in_b >= 0 && in_b < module.out * module.rank)
            return fmt::format("{}.lora_B.weight [{}, {}]", module.path, in_b / module.rank, in_b % module.rank);
        const std::int64_t in_m = index - module.offset_m;
        if (module.offset_m >= 0 && in_m >= 0 && in_m < module.out) return fmt::format("{}.lora_magnitude_vector [{}]", module.path, in_m);
    }
    for (const SavedModule& module : saved) {
        const std::int64_t in = index - module.offset;
        if (in >= 0 && in < module.elements())
            return fmt::format("{}.weight [{}, {}]", module.paths().front(), in / module.columns, in % module.columns);
    }
    return fmt::format("parameter {}", index);
}

namespace {

// Two uniform numbers give one normal one.                                                            [Box & Muller 1958]
float normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    constexpr double pi = 3.14159265358979323846;
    const double u = 1.0 - static_cast<double>(uniform(seed, stream, 2 * index)), v = static_cast<double>(uniform(seed, stream, 2 * index + 1));
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * pi * v));
}

}  // namespace

void init_lora(const LoraLayout& layout, std::uint64_t seed, float* parameters) {
    const bool gaussian = layout.settings.init == "gaussian";
    for (std::size_t m = 0; m < layout.modules.size(); ++m) {
        const LoraModule& module = layout.modules[m];
        const float bound = 1.0f / std::sqrt(static_cast<float>(module.in)), deviation = 1.0f / static_cast<float>(module.rank);
        float* const a = parameters + module.offset_a;
        for (std::int64_t i = 0; i < module.rank * module.in; ++i) {
            const auto element = static_cast<std::uint64_t>(i);
            a[i] = gaussian ? deviation * normal(seed, m, element) : (2.0f * uniform(seed, m, element) - 1.0f) * bound;
        }
        std::fill_n(parameters + module.offset_b, module.out * module.rank, 0.0f);
    }
}

namespace {

// weight += scale * B A, each sum over the rank in order. Chunks of a constant length, which the compiler turns into vector instructions.
void add_product(View matrix /*(out, in)*/, const LoraModule& module, const float* parameters) {
    const float* a = parameters + module.offset_a;  // (rank, in)
    const float* b = parameters + module.offset_b;  // (out, rank)
    constexpr std::int64_t chunk = 32;
    for (std::int64_t row = 0; row < module.out; ++row, b += module.rank) {
        float* const weight = matrix.row<float>(row);
        std::int64_t column = 0;
        for (; column + chunk <= module.in; column += chunk) {
            float sum[chunk] = {};
            for (std::int64_t k = 0; k < module.rank; ++k) {
                const float* __restrict from = a + k * module.in + column;
                for (int i = 0; i < chunk; ++i) sum[i] += b[k] * from[i];
            }
            for (int i = 0; i < chunk; ++i) weight[column + i] += module.scale * sum[i];
        }
        for (; column < module.in; ++column) {
            float sum = 0.0f;
            for (std::int64_t k = 0; k < module.rank; ++k) sum += b[k] * a[k * module.in + column];
            weight[column] += module.scale * sum;
        }
    }
}

float row_length(const float* row, std::int64_t n) {
    double squares = 0.0;
    for (std::int64_t i = 0; i < n; ++i) squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    return static_cast<float>(std::sqrt(squares));
}

}  // namespace

void apply_adapter(View weight, const LoraModule& module, const float* parameters) {
    add_product(weight, module, parameters);
    if (module.offset_m < 0) return;
    for (std::int64_t row = 0; row < module.out; ++row) {
        float* const values = weight.row<float>(row);
        const float length = row_length(values, module.in), factor = length > 0.0f ? parameters[module.offset_m + row] / length : 0.0f;
        for (std::int64_t column = 0; column < module.in; ++column) values[column] *= factor;
    }
}

void init_magnitudes(const LoraLayout& layout, const TensorSource& weights, DType dtype, float* parameters) {
    for (const LoraModule& module : layout.modules) {
        if (module.offset_m < 0) continue;
        std::vector<float> memory(static_cast<std::size_t>(module.out * module.in));
        const View weight(memory.data(), DType::f32, {module.out, module.in});
        weights.read(module.path + ".weight", weight);
        const auto round = [&] {
            if (dtype == DType::bf16)
                for (float& value : memory) value = from_bf16(to_bf16(value));
        };
        round();
        if (starts_from_weights(layout.settings)) {
            subtract_start(weight, module, parameters);
            round();
        }
        add_product(weight, module, parameters);
        for (std::int64_t row = 0; row < module.out; ++row) parameters[module.offset_m + row] = row_length(weight.row<float>(row), module.in);
    }
}

}  // namespace temper
