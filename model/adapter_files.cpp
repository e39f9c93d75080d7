// Adapters on disk, in PEFT's format.
#include <algorithm>
#include <cmath>
#include <set>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tensor_source.h"
#include "model/lora.h"

namespace temper {
namespace {

std::string tensor_name(const LoraModule& module, char which) { return fmt::format("base_model.model.{}.lora_{}.weight", module.path, which); }

struct AdapterTensor {
    std::string name;
    View value;  // into the parameter vector
};

std::vector<AdapterTensor> adapter_tensors(const LoraLayout& layout, float* parameters) {
    std::vector<AdapterTensor> tensors;
    for (const LoraModule& module : layout.modules) {
        tensors.push_back({tensor_name(module, 'A'), View(parameters + module.offset_a, DType::f32, {module.rank, module.in})});
        tensors.push_back({tensor_name(module, 'B'), View(parameters + module.offset_b, DType::f32, {module.out, module.rank})});
    }
    return tensors;
}

// Features of PEFT that change the arithmetic and that this reader does not apply.
void refuse_unsupported(const Json& config, const std::string& place) {
    const auto set = [&](const char* key) {
        if (!config.contains(key)) return false;
        const Json& value = config.at(key);
        return !(value.is_null() || (value.is_boolean() && !value.get<bool>()) || ((value.is_object() || value.is_array()) && value.empty()));
    };
    for (const char* key : {"use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "layers_to_transform",
                            "layer_replication", "trainable_token_indices", "lora_bias", "use_qalora", "use_bdlora", "alora_invocation_tokens",
                            "target_parameters", "arrow_config", "kasa_config", "monteclora_config"})
        if (set(key)) throw_error(ExitCode::bad_data, "{}: '{}' is {}, which temper does not support yet", place, key, config.at(key).dump());
    if (config.contains("bias") && config.at("bias") != "none")
        throw_error(ExitCode::bad_data, "{}: 'bias' is {}, expected \"none\"", place, config.at("bias").dump());
    if (!config.contains("peft_type") || config.at("peft_type") != "LORA")
        throw_error(ExitCode::bad_data, "{}: 'peft_type' is {}, expected LORA", place,
                    config.contains("peft_type") ? config.at("peft_type").dump() : "absent");
    // These change the base weights when they begin, and the adapter holds only what came after.
    for (const char* kind : {"pissa", "olora", "corda", "loftq", "lora_ga"})
        if (config.contains("init_lora_weights") && config.at("init_lora_weights").is_string() &&
            config.at("init_lora_weights").get<std::string>().rfind(kind, 0) == 0)
            throw_error(ExitCode::bad_data,
                        "{}: 'init_lora_weights' is {}: such an adapter needs base weights that its initialisation changed; convert it with PEFT's "
                        "path_initial_model_for_weight_conversion",
                        place, config.at("init_lora_weights").dump());
}

}  // namespace

LoraSettings read_adapter_settings(const std::filesystem::path& directory) {
    const std::filesystem::path path = directory / "adapter_config.json";
    const Json config = parse_json(read_file(path), path.string());
    if (!config.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object", path.string());
    refuse_unsupported(config, path.string());
    LoraSettings settings;
    const auto number = [&](const char* key) {
        if (!config.contains(key) || !config.at(key).is_number())
            throw_error(ExitCode::bad_data, "{}: '{}' is missing or not a number", path.string(), key);
        return config.at(key).get<double>();
    };
    const double rank = number("r");
    if (rank < 1 || rank > 4096 || rank != std::floor(rank))
        throw_error(ExitCode::bad_data, "{}: 'r' is {}, expected a whole number from 1 to 4096", path.string(), rank);
    settings.r = static_cast<std::int64_t>(rank);
    settings.alpha = number("lora_alpha");
    settings.use_rslora = config.contains("use_rslora") && config.at("use_rslora") == true;
    settings.target_modules.clear();
    if (config.contains("target_modules") && config.at("target_modules").is_array()) {
        for (const Json& target : config.at("target_modules")) {
            // PEFT accepts full paths as well as last names; of a path the last name is what a block knows.
            const std::string text = target.is_string() ? target.get<std::string>() : target.dump();
            settings.target_modules.push_back(text.substr(text.rfind('.') == std::string::npos ? 0 : text.rfind('.') + 1));
        }
    } else if (config.contains("target_modules") && config.at("target_modules") == "all-linear") {
        settings.target_modules = {"all-linear"};
    } else {
        throw_error(ExitCode::bad_data, "{}: 'target_modules' is not a list of names", path.string());
    }
    return settings;
}

std::vector<float> read_adapter(const std::filesystem::path& directory, const LoraLayout& layout) {
    const auto source = open_safetensors(directory / "adapter_model.safetensors");
    std::vector<float> parameters(static_cast<std::size_t>(layout.parameters));
    std::set<std::string> expected;
    for (const AdapterTensor& tensor : adapter_tensors(layout, parameters.data())) {
        if (source->find(tensor.name) == nullptr)
            throw_error(ExitCode::bad_data, "{}: tensor {} {} is missing: this adapter is of another model or of other target modules",
                        source->describe(), tensor.name, tensor.value.describe());
        source->read(tensor.name, tensor.value);
        expected.insert(tensor.name);
    }
    for (const std::string& name : source->names())
        if (!expected.contains(name))
            throw_error(ExitCode::bad_data, "{}: tensor {} belongs to no linear layer of this model: the adapter is of another model",
                        source->describe(), name);
    return parameters;
}

void write_adapter(const std::filesystem::path& directory, const LoraLayout& layout, const float* parameters, const std::string& base_model) {
    std::vector<NamedTensor> tensors;
    for (const AdapterTensor& tensor : adapter_tensors(layout, const_cast<float*>(parameters))) tensors.push_back({tensor.name, tensor.value});
    std::set<std::string> targets;
    for (const LoraModule& module : layout.modules) targets.insert(module.name);
    Json config;
    config["alpha_pattern"] = Json::object();
    config["auto_mapping"] = nullptr;
    config["base_model_name_or_path"] = base_model;
    config["bias"] = "none";
    config["fan_in_fan_out"] = false;
    config["inference_mode"] = true;
    config["init_lora_weights"] = true;
    config["layers_pattern"] = nullptr;
    config["layers_to_transform"] = nullptr;
    config["lora_alpha"] = layout.settings.alpha;
    if (layout.settings.alpha == static_cast<double>(static_cast<std::int64_t>(layout.settings.alpha)))
        config["lora_alpha"] = static_cast<std::int64_t>(layout.settings.alpha);
    config["lora_dropout"] = 0.0;
    config["modules_to_save"] = nullptr;
    config["peft_type"] = "LORA";
    config["r"] = layout.settings.r;
    config["rank_pattern"] = Json::object();
    config["revision"] = nullptr;
    config["target_modules"] = std::vector<std::string>(targets.begin(), targets.end());
    config["task_type"] = "CAUSAL_LM";
    config["use_dora"] = false;
    config["use_rslora"] = layout.settings.use_rslora;
    std::filesystem::create_directories(directory);
    write_durable(directory / "adapter_config.json", config.dump(2) + "\n");
    write_durable(directory / "README.md",
                  fmt::format("---\nlibrary_name: peft\nbase_model: {}\ntags:\n- lora\n---\nA LoRA adapter (r {}, alpha {}) in PEFT's format.\n",
                              base_model, layout.settings.r, layout.settings.alpha));
    write_safetensors(directory / "adapter_model.safetensors", tensors);
}

}  // namespace temper
