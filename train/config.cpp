#include "train/config.h"

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "train/config_check.h"
#include "train/config_fields.h"
#include "train/config_import.h"
#include "train/init_adapter.h"

namespace temper {
namespace {

Fields fields_of(Config& config) {
    Fields fields;
    config.visit(fields);
    fields.explain_unknown([](const std::string& name) -> std::string {
        return is_trl_key(name) ? "it is a key of TRL: `temper config import` says what becomes of it" : "";
    });
    return fields;
}

bool is_true(const std::string& text) { return text == "true" || text == "True"; }

// Names of other trainers that set no field here: they say something of the command line, or are refused with the setting to use.
void read_outside(const Settings& settings, Config& config, ConfigNotes& notes) {
    const auto& outside = settings.outside();
    refuse_batch_sizes(settings);
    for (const char* name : {"packing", "padding_free", "sample_packing"}) {
        const auto found = outside.find(name);
        if (found != outside.end())
            notes.notes.push_back(
                fmt::format("{}: {}: rows are always laid end to end without padding and never attend to one another; there is no "
                            "switch, and global_batch_size counts rows",
                            found->second.where, name));
    }
    if (const auto bf16 = outside.find("bf16"); bf16 != outside.end()) {
        const bool on = is_true(bf16->second.text) || bf16->second.text == "auto";
        if (on != (config.dtype == "bfloat16"))
            throw_error(ExitCode::usage, "{}: bf16 {} beside dtype {}: set dtype alone", bf16->second.where, bf16->second.text, config.dtype);
    }
    if (const auto linear = outside.find("lora_target_linear"); linear != outside.end() && is_true(linear->second.text)) {
        if (settings.was_set("lora.target_modules") && config.lora.target_modules != std::vector<std::string>{"all-linear"})
            throw_error(ExitCode::usage, "{}: lora_target_linear takes every linear layer, and lora.target_modules names some: give one of them",
                        linear->second.where);
        config.lora.target_modules = {"all-linear"};
    }
    const auto resume = outside.find("resume_from_checkpoint");
    if (resume == outside.end()) return;
    const std::string& text = resume->second.text;
    const bool off = text == "null" || text == "false" || text == "False" || text.empty();
    notes.resume = off ? "no" : text == "true" || text == "True" ? "auto" : text;
    notes.notes.push_back(fmt::format("{}: resume_from_checkpoint is taken as --resume {}", resume->second.where, *notes.resume));
}

void fill_defaults(Config& config, TrainKind kind) {
    if (!config.train.learning_rate) config.train.learning_rate = kind == TrainKind::sft ? 1e-4 : 5e-6;
    if (config.train.lr_scheduler_type == "warmup_stable_decay") config.train.lr_scheduler_type = "wsd";
    std::string& metric = config.train.metric_for_best_model;
    if (!metric.starts_with("eval_")) metric = "eval_" + metric;
}

}  // namespace

Config parse_config(const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides, TrainKind kind,
                    ConfigNotes* notes) {
    Config config;
    const Settings settings(fields_of(config), yaml, place, overrides);

    ConfigNotes said;
    read_outside(settings, config, said);
    fill_defaults(config, kind);
    check_config(config, settings, kind, place);
    take_adapter_shape(config, settings);
    if (notes != nullptr) {
        notes->notes = settings.notes();
        notes->notes.insert(notes->notes.end(), said.notes.begin(), said.notes.end());
        notes->resume = said.resume;
    }
    return config;
}

Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides, TrainKind kind, ConfigNotes* notes) {
    return parse_config(read_file(path, std::size_t(1) << 26), path.string(), overrides, kind, notes);
}

Json config_json(const Config& config) {
    Config copy = config;  // fields are bound to a value that they could change
    return settings_json(fields_of(copy));
}

std::string config_yaml(const Config& config) { return to_yaml(config_json(config)); }

std::string config_hash(const Config& config) {
    Json resolved = config_json(config);
    for (const char* name : {"threads", "output_dir", "run_name", "rank_exchange", "tracking"}) resolved.erase(name);
    if (config.attention != "cudnn") resolved.erase("attention");  // auto is own
    if (config.lora.init_adapter)                                  // its own, which a setting can but repeat
        for (const char* name : {"r", "lora_alpha", "target_modules"}) resolved["lora"][name] = config_json(Config())["lora"][name];
    for (const char* name : {"logging_steps", "save_steps", "save_total_limit", "micro_batch_tokens", "gradient_checkpointing"})
        resolved["train"].erase(name);
    return sha256_hex(nlohmann::json(resolved).dump());  // keys sorted: the order of declaration does not count
}

Json config_schema() {
    Config config;
    return settings_schema(fields_of(config), "Settings of temper sft and temper dpo");
}

std::string config_help() {
    Config config;
    return "Settings [default]:\n" + settings_help(fields_of(config));
}

std::string config_markdown() {
    Config config;
    const Fields fields = fields_of(config);
    std::string text =
        "# Settings of `temper sft` and `temper dpo`\n\n"
        "Written by `temper config schema --markdown`; do not edit. Names are those of TRL, transformers and PEFT wherever one exists.\n"
        "Relative paths are relative to the current directory. Precedence: flags, `key=value`, environment (`TEMPER_TRAIN__SEED` is\n"
        "`train.seed`), file, defaults. A field may be given at the top level by its last name where that is unique.\n\n" +
        settings_markdown(fields);
    text += "\n## Defaults that are not TRL 1.16's\n\n| Field | temper | TRL |\n|---|---|---|\n";
    for (const Field& field : fields.all()) {
        if (field.reference_default.empty()) continue;
        const Json value = value_json(field);
        std::string ours = value.is_string() ? value.get<std::string>() : value.dump();
        if (field.path == "train.learning_rate") ours = "1e-4 for sft, 5e-6 for dpo";
        if (field.path == "dpo.cpo_alpha") ours = "1 for cpo, 0 for simpo";
        text += fmt::format("| `{}` | {} | {} |\n", field.path, ours, field.reference_default);
    }
    text += "\n## Other names that are accepted\n\n| Name | Recorded as |\n|---|---|\n";
    for (const auto& [alias, path] : fields.aliases()) text += fmt::format("| `{}` | `{}` |\n", alias, path);
    for (const auto& [name, meaning] : fields.outside_names())
        if (!meaning.empty()) text += fmt::format("| `{}` | {} |\n", name, meaning);
    text +=
        "\n"
        "`per_device_train_batch_size`, `micro_batch_size` and `gradient_accumulation_steps` are errors that say which `global_batch_size` they\n"
        "mean: their product, times the ranks. `temper config import` turns whole configurations of TRL and Axolotl into ours.\n";
    return text;
}

}  // namespace temper
