// Settings of temper-serve, declared once in config_fields.h.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace temper {

// Which version of a registry is served: whatever the alias stands for.
struct ServeRegistry {
    std::string directory, name, alias = "production";
    double poll_seconds = 2;
};

struct ServeLimits {
    std::int64_t body_bytes = std::int64_t(4) << 20, connections = 256, queue = 64;
    double request_seconds = 30, answer_seconds = 600, drain_seconds = 60;
};

struct ServeConfig {
    std::optional<std::string> model, adapter, embedding_model, system_prompt;
    std::string served_name, embedding_name, prompts = "prompts";
    ServeRegistry registry;
    std::string host = "127.0.0.1", api_key_env;
    std::int64_t port = 8080, threads = 0, slots = 8, max_context = 2048;
    std::string dtype = "bfloat16", embedding_dtype = "float32", device = "auto", isa = "auto";
    bool load_in_4bit = false, bnb_4bit_use_double_quant = false, load_in_fp8 = false, keep_quantized = false;
    bool embedding_truncate = false;
    ServeLimits limits;

    bool follows_registry() const { return !registry.directory.empty(); }
    bool generates() const { return model.has_value() || follows_registry(); }
    // What requests call the models: as set, else the registry's name, else the folder's.
    std::string generation_id() const;
    std::string embedding_id() const;
};

// Precedence: overrides (key=value), environment (TEMPER_…), file, defaults. usage with the place; missing_input.
ServeConfig load_serve_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                              std::vector<std::string>* notes = nullptr);
nlohmann::ordered_json serve_json(const ServeConfig& config);  // resolved, in the order of declaration
std::string serve_help();
std::string serve_markdown();  // the table of docs/serve.md

}  // namespace temper
