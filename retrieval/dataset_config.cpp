#include "retrieval/dataset_config.h"

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "retrieval/dataset_fields.h"
#include "retrieval/filter.h"

namespace temper {
namespace {

Fields fields_of(DatasetConfig& config) {
    Fields fields;
    describe(fields, config);
    return fields;
}

void check(const DatasetConfig& config, const Settings& settings) {
    const auto need = [](const std::string& value, const char* name, const char* what) {
        if (value.empty()) throw_error(ExitCode::usage, "{} is missing: {}", name, what);
    };
    need(config.store, "store", "the directory that temper features filled");
    need(config.prompts.user, "prompts.user", "the file of the question asked of each chunk");
    need(config.endpoint.model, "endpoint.model", "the model that is asked");
    static_cast<void>(Filter(config.filters));
    if (config.max_cost > 0 && price_of(config.prices, config.endpoint.model) == nullptr)
        throw_error(ExitCode::usage, "{}: max_cost needs an entry of prices for {}", settings.where("max_cost"), config.endpoint.model);
}

}  // namespace

std::vector<std::string> DatasetConfig::row_fields() const {
    if (kind == "preference") return {"prompt", "chosen", "rejected"};
    return {"prompt", "completion"};
}

DatasetConfig load_dataset_config(const std::filesystem::path& path, const std::vector<std::string>& overrides, std::vector<std::string>* notes) {
    DatasetConfig config;
    const Settings settings(fields_of(config), read_file(path, std::size_t(1) << 20), path.string(), overrides);
    check(config, settings);
    if (notes != nullptr) *notes = settings.notes();
    return config;
}

Json dataset_json(const DatasetConfig& config) {
    DatasetConfig copy = config;  // fields are bound to a value that they could change
    return settings_json(fields_of(copy));
}

std::string dataset_hash(const DatasetConfig& config) {
    Json resolved = dataset_json(config);
    for (const char* name : {"store", "output_dir", "run_name", "prices", "max_cost", "prompts"}) resolved.erase(name);
    resolved["endpoint"] = deciding_settings(config.endpoint);
    resolved["user"] = sha256_file(config.prompts.user);
    if (config.prompts.system) resolved["system"] = sha256_file(*config.prompts.system);
    return sha256_hex(nlohmann::json(resolved).dump());
}

std::string dataset_help() {
    DatasetConfig config;
    return "Settings [default]:\n" + settings_help(fields_of(config));
}

}  // namespace temper
