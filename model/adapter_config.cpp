#include "model/adapter_config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/ranges.h>

#include "io/durable.h"
#include "model/extended_model.h"
#include "model/lora_targets.h"

namespace temper {
namespace {

// Features of PEFT that change the arithmetic and that this reader does not apply.
void refuse_unsupported(const Json& config, const std::string& place) {
    const auto set = [&](const char* key) {
        if (!config.contains(key)) return false;
        const Json& value = config.at(key);
        return !(value.is_null() || (value.is_boolean() && !value.get<bool>()) || ((value.is_object() || value.is_array()) && value.empty()));
    };
    for (const char* key : {"fan_in_fan_out", "layer_replication", "trainable_token_indices", "lora_bias", "use_qalora", "use_bdlora",
                            "alora_invocation_tokens", "target_parameters", "arrow_config", "kasa_config", "monteclora_config", "velora_config"})
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

// The settings in one adapter_config.json, with errors that name the file and the key.
class ConfigReader {
  public:
    ConfigReader(const Json& config, std::string place) : config_(config), place_(std::move(place)) {}

    LoraSettings read() const {
        LoraSettings settings;
        settings.from_file = true;
        settings.r = whole("r", member("r"), 1, 4096);
        settings.alpha = number("lora_alpha", member("lora_alpha"));
        settings.use_rslora = config_.contains("use_rslora") && config_.at("use_rslora") == true;
        settings.use_dora = config_.contains("use_dora") && config_.at("use_dora") == true;
        settings.target_modules = names("target_modules");
        if (settings.target_modules.empty()) fail("target_modules", "a list of names or a regular expression");
        settings.exclude_modules = names("exclude_modules");
        settings.layers_pattern = names("layers_pattern").list;
        const Json layers = member("layers_to_transform");
        if (layers.is_number()) settings.layers_to_transform = {whole("layers_to_transform", layers, 0, 1 << 20)};
        else if (layers.is_array())
            for (const Json& layer : layers) settings.layers_to_transform.push_back(whole("layers_to_transform", layer, 0, 1 << 20));
        else if (!layers.is_null()) fail("layers_to_transform", "a number or a list of numbers");
        settings.modules_to_save = modules_to_save();
        settings.ensure_weight_tying = config_.contains("ensure_weight_tying") && config_.at("ensure_weight_tying") == true;
        const Json ranks = map("rank_pattern"), alphas = map("alpha_pattern");
        for (const auto& [key, value] : ranks.items()) settings.rank_pattern.emplace_back(key, whole("rank_pattern", value, 1, 4096));
        for (const auto& [key, value] : alphas.items()) settings.alpha_pattern.emplace_back(key, number("alpha_pattern", value));
        return settings;
    }

  private:
    [[noreturn]] void fail(const char* key, const std::string& expected) const {
        throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected {}", place_, key, config_.contains(key) ? config_.at(key).dump() : "missing",
                    expected);
    }
    Json member(const char* key) const { return config_.contains(key) ? config_.at(key) : Json(nullptr); }
    double number(const char* key, const Json& value) const {
        if (!value.is_number()) fail(key, "a number");
        return value.get<double>();
    }
    std::int64_t whole(const char* key, const Json& value, std::int64_t least, std::int64_t most) const {
        const double found = number(key, value);
        if (!(found >= static_cast<double>(least) && found <= static_cast<double>(most)) || found != std::floor(found))
            fail(key, fmt::format("whole numbers from {} to {}", least, most));
        return static_cast<std::int64_t>(found);
    }
    Json map(const char* key) const {
        const Json value = member(key);
        if (value.is_null()) return Json::object();
        if (!value.is_object()) fail(key, "an object");
        return value;
    }
    std::vector<std::string> modules_to_save() const {
        const ModuleNames given = names("modules_to_save");
        try {
            if (!given.pattern) parse_modules_to_save(given.list);
            else fail("modules_to_save", "a list of embed_tokens and lm_head");
        } catch (const Error&) {
            fail("modules_to_save", "a list of embed_tokens and lm_head: no other layer can be trained whole");
        }
        return given.list;
    }
    // Text is a regular expression here, a list holds names; null is none.
    ModuleNames names(const char* key) const {
        const Json value = member(key);
        ModuleNames names;
        if (value.is_null()) return names;
        if (value.is_string()) return {{value.get<std::string>()}, value.get<std::string>() != "all-linear"};
        if (!value.is_array()) fail(key, "a list of names or a regular expression");
        for (const Json& name : value) {
            if (!name.is_string()) fail(key, "a list of names or a regular expression");
            names.list.push_back(name.get<std::string>());
        }
        return names;
    }

    const Json& config_;
    std::string place_;
};

// A whole number without a point, as PEFT writes it.
Json number_json(double value) {
    const auto whole = static_cast<std::int64_t>(value);
    return value == static_cast<double>(whole) ? Json(whole) : Json(value);
}

Json names_json(const ModuleNames& names) {
    if (names.empty()) return nullptr;
    if (names.pattern) return names.list.front();
    const std::set<std::string> sorted(names.list.begin(), names.list.end());
    return std::vector<std::string>(sorted.begin(), sorted.end());
}

// all-linear is written as the names that it stood for: the head is none of them.
Json targets_json(const LoraLayout& layout) {
    const ModuleNames& given = layout.settings.target_modules;
    if (!is_all_linear(given)) return names_json(given);
    std::set<std::string> names;
    for (const LoraModule& module : layout.modules) names.insert(module.name);
    return std::vector<std::string>(names.begin(), names.end());
}

// The weights say which modules they bring whole, and how many tokens these know: PEFT writes both of a model whose vocabulary was resized,
// whatever modules_to_save says.
void add_whole_modules(const std::filesystem::path& directory, LoraSettings& settings) {
    const std::filesystem::path path = directory / "adapter_model.safetensors";
    if (!std::filesystem::exists(path)) return;
    const auto weights = open_safetensors(path);
    const SavedNames given = parse_modules_to_save(settings.modules_to_save);
    for (const char* name : {"embed_tokens", "lm_head"}) {
        const bool is_head = std::string_view(name) == "lm_head";
        const TensorInfo* tensor = weights->find(fmt::format("base_model.model.{}{}.weight", is_head ? "" : "model.", name));
        if (tensor == nullptr) continue;
        constexpr std::int64_t most_rows = 1 << 24;
        if (tensor->shape.size() != 2 || tensor->shape[0] < 1 || tensor->shape[0] > most_rows)
            throw_error(ExitCode::bad_data, "{}: tensor {} has shape ({}), expected a weight of at most {} rows", weights->describe(), tensor->name,
                        fmt::join(tensor->shape, ", "), most_rows);
        if (settings.vocabulary > 0 && settings.vocabulary != tensor->shape[0])
            throw_error(ExitCode::bad_data, "{}: tensor {} has {} rows, the embedding {}", weights->describe(), tensor->name, tensor->shape[0],
                        settings.vocabulary);
        settings.vocabulary = tensor->shape[0];
        if (!(is_head ? given.head : given.embedding)) settings.modules_to_save.emplace_back(name);
    }
}

}  // namespace

LoraSettings read_adapter_settings(const std::filesystem::path& directory) {
    const std::filesystem::path path = directory / "adapter_config.json";
    if (!std::filesystem::exists(path))
        throw_error(ExitCode::missing_input, "{}: expected a PEFT adapter directory (adapter_config.json, adapter_model.safetensors)",
                    directory.string());
    const Json config = parse_json(read_file(path), path.string());
    if (!config.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object", path.string());
    refuse_unsupported(config, path.string());
    LoraSettings settings = ConfigReader(config, path.string()).read();
    add_whole_modules(directory, settings);
    return settings;
}

Json adapter_config_json(const LoraLayout& layout, const std::string& base_model) {
    const LoraSettings& settings = layout.settings;
    Json config;
    config["alpha_pattern"] = Json::object();
    for (const auto& [key, alpha] : settings.alpha_pattern) config["alpha_pattern"][key] = number_json(alpha);
    config["auto_mapping"] = nullptr;
    config["base_model_name_or_path"] = base_model;
    config["bias"] = "none";
    if (!settings.exclude_modules.empty()) config["exclude_modules"] = names_json(settings.exclude_modules);
    if (settings.ensure_weight_tying) config["ensure_weight_tying"] = true;
    config["fan_in_fan_out"] = false;
    config["inference_mode"] = true;
    config["init_lora_weights"] = true;
    config["layers_pattern"] = settings.layers_pattern.empty() ? Json(nullptr) : Json(settings.layers_pattern);
    config["layers_to_transform"] = settings.layers_to_transform.empty() ? Json(nullptr) : Json(settings.layers_to_transform);
    config["lora_alpha"] = number_json(settings.alpha);
    config["lora_dropout"] = settings.dropout;
    config["modules_to_save"] = settings.modules_to_save.empty() ? Json(nullptr) : Json(settings.modules_to_save);
    config["peft_type"] = "LORA";
    config["r"] = settings.r;
    config["rank_pattern"] = Json::object();
    for (const auto& [key, rank] : settings.rank_pattern) config["rank_pattern"][key] = rank;
    config["revision"] = nullptr;
    config["target_modules"] = targets_json(layout);
    config["task_type"] = "CAUSAL_LM";
    config["use_dora"] = settings.use_dora;
    config["use_rslora"] = settings.use_rslora;
    return config;
}

}  // namespace temper
