#include "train/init_adapter.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "kernels/error.h"

namespace temper {
namespace {

std::set<std::string> as_set(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

std::vector<std::string> adapted_paths(const LoraLayout& layout) {
    std::vector<std::string> paths;
    for (const LoraModule& module : layout.modules) paths.push_back(module.path);
    return paths;
}

}  // namespace

void take_adapter_shape(Config& config, const Settings& settings) {
    LoraConfig& lora = config.lora;
    if (!lora.init_adapter || !std::filesystem::exists(std::filesystem::path(*lora.init_adapter) / "adapter_config.json")) return;
    const LoraSettings adapter = read_adapter_settings(*lora.init_adapter);
    const auto take = [&](const char* name, auto& setting, auto own) {
        const std::string path = std::string("lora.") + name;
        if (settings.was_set(path) && setting != own)
            throw_error(ExitCode::usage, "{}: {}: found {}, and the adapter of lora.init_adapter, {}, has {}: leave the setting out",
                        settings.where(path), path, setting, *lora.init_adapter, own);
        setting = own;
    };
    take("r", lora.r, adapter.r);
    take("lora_alpha", lora.lora_alpha, adapter.alpha);
    const auto linear = settings.outside().find("lora_target_linear");
    const bool all = linear != settings.outside().end() && (linear->second.text == "true" || linear->second.text == "True");
    if ((all || settings.was_set("lora.target_modules")) && as_set(lora.target_modules) != as_set(adapter.target_modules.list))
        lora.asked_modules = lora.target_modules;
    lora.target_modules = adapter.target_modules.list;
}

void check_asked_modules(const LoraConfig& config, const ModelConfig& model, const LoraLayout& layout) {
    if (config.asked_modules.empty()) return;
    LoraSettings asked = layout.settings;
    asked.target_modules = parse_module_names(config.asked_modules);
    if (adapted_paths(make_lora_layout(model, asked)) == adapted_paths(layout)) return;
    throw_error(ExitCode::usage,
                "lora.target_modules: found {}, which are other layers than those of the adapter of lora.init_adapter, {}, which has {}: leave the "
                "setting out",
                fmt::join(config.asked_modules, ", "), *config.init_adapter, fmt::join(config.target_modules, ", "));
}

}  // namespace temper
