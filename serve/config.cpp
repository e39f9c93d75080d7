#include "serve/config.h"

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "serve/config_fields.h"

namespace temper {
namespace {

Fields fields_of(ServeConfig& config) {
    Fields fields;
    describe(fields, config);
    return fields;
}

std::string folder_name(const std::string& path) {
    const std::filesystem::path whole = std::filesystem::path(path).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

void check(const ServeConfig& config, const Settings& settings) {
    if (!config.generates() && !config.embedding_model)
        throw_error(ExitCode::usage, "nothing to serve: set model, registry.directory, or embedding_model");
    if (config.follows_registry() && config.registry.name.empty())
        throw_error(ExitCode::usage, "registry.name is missing: the name in {}", config.registry.directory);
    if (config.follows_registry() && config.adapter)
        throw_error(ExitCode::usage, "{}: adapter and registry.directory are both set: the registry decides the adapter", settings.where("adapter"));
    if (config.system_prompt && !config.generates())
        throw_error(ExitCode::usage, "{}: system_prompt: no model is served that chats", settings.where("system_prompt"));
    if (config.adapter && !config.model) throw_error(ExitCode::usage, "{}: an adapter needs its model", settings.where("adapter"));
    if (config.load_in_4bit + config.load_in_fp8 + config.keep_quantized > 1)
        throw_error(ExitCode::usage, "set one of load_in_4bit, load_in_fp8 and keep_quantized");
    if (config.bnb_4bit_use_double_quant && !config.load_in_4bit)
        throw_error(ExitCode::usage, "{}: bnb_4bit_use_double_quant needs load_in_4bit", settings.where("bnb_4bit_use_double_quant"));
    if (config.generates() && config.embedding_model && config.generation_id() == config.embedding_id())
        throw_error(ExitCode::usage, "both models are called {}: set served_name or embedding_name", config.embedding_id());
}

}  // namespace

std::string ServeConfig::generation_id() const {
    if (!served_name.empty()) return served_name;
    return follows_registry() ? registry.name : folder_name(model.value_or("model"));
}

std::string ServeConfig::embedding_id() const { return embedding_name.empty() ? folder_name(embedding_model.value_or("")) : embedding_name; }

ServeConfig load_serve_config(const std::filesystem::path& path, const std::vector<std::string>& overrides, std::vector<std::string>* notes) {
    ServeConfig config;
    const Settings settings(fields_of(config), read_file(path, std::size_t(1) << 20), path.string(), overrides);
    check(config, settings);
    if (notes != nullptr) *notes = settings.notes();
    return config;
}

Json serve_json(const ServeConfig& config) {
    ServeConfig copy = config;  // fields are bound to a value that they could change
    return settings_json(fields_of(copy));
}

std::string serve_help() {
    ServeConfig config;
    return "Settings [default]:\n" + settings_help(fields_of(config));
}

std::string serve_markdown() {
    ServeConfig config;
    return settings_markdown(fields_of(config));
}

}  // namespace temper
