// Settings of `temper sft` and `temper dpo`. Each field is declared once, in visit(): name, default, help. From that come the YAML parser,
// key=value, --help, the reference page, the JSON Schema and the resolved configuration in the run record.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runs/trackers/settings.h"

namespace temper {

struct DataFile {
    std::string path;
    double weight = 1.0;
    std::int64_t max_rows = -1;
    std::map<std::string, std::string> columns;  // ours -> the file's
    std::string format = "auto";
};

struct DataConfig {
    std::vector<DataFile> train, eval;
    std::int64_t max_length = 1024;
    std::string on_overlong = "truncate";                  // truncate | drop | fail
    std::string on_identical = "drop", on_empty = "drop";  // keep | drop | fail; rows of preferences
    bool shuffle = true;
    bool completion_only_loss = true;
    bool assistant_only_loss = false;
    double val_size = 0;                       // < 1 is a ratio
    std::optional<std::string> chat_template;  // a file, or the template itself
};

struct LoraConfig {
    std::int64_t r = 16;
    double lora_alpha = 32;
    double lora_dropout = 0.0;
    std::vector<std::string> target_modules = {"all-linear"};
    std::vector<std::string> exclude_modules;
    std::vector<std::int64_t> layers_to_transform;
    std::vector<std::string> layers_pattern;
    bool use_rslora = false;
    bool use_dora = false;
    std::string init_lora_weights = "true";  // true | gaussian | pissa | pissa_niter_N | olora
    std::map<std::string, std::int64_t> rank_pattern;
    std::map<std::string, double> alpha_pattern;
    std::vector<std::string> modules_to_save;
    bool ensure_weight_tying = false;
    std::vector<std::string> new_tokens;
    std::optional<std::string> init_adapter;
    // Not a field: target_modules as the configuration has it where the adapter's own stands in its place (train/init_adapter.h).
    std::vector<std::string> asked_modules;
};

struct TrainingConfig {
    double num_train_epochs = 3;
    std::int64_t max_steps = -1;
    std::int64_t global_batch_size = 16;
    std::int64_t micro_batch_tokens = 4096;
    std::int64_t leaf_tokens = 512;
    std::string gradient_checkpointing = "auto";  // auto | true | false
    std::optional<double> learning_rate;          // sft 1e-4, dpo 5e-6
    std::string lr_scheduler_type = "cosine";
    std::map<std::string, double> lr_scheduler_kwargs;  // min_lr, min_lr_rate, num_cycles, power, lr_end, num_decay_steps, timescale ...
    double warmup_steps = 0;                            // < 1 is a ratio
    std::optional<double> loraplus_lr_ratio;
    double weight_decay = 0.0;
    double max_grad_norm = 1.0;
    double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
    std::int64_t seed = 42;
    std::int64_t logging_steps = 1, eval_steps = 0, save_steps = 100, save_total_limit = 3;
    bool load_best_model_at_end = false;
    std::string metric_for_best_model = "eval_loss";
    std::int64_t early_stopping_patience = 0;
};

struct DpoConfig {
    double beta = 0.1;
    std::vector<std::string> loss_type = {"sigmoid"};
    std::vector<double> loss_weights;
    double label_smoothing = 0.0;
    std::string f_divergence_type = "reverse_kl";
    double f_alpha_divergence_coef = 0.5;
    double discopop_tau = 0.05;
    double simpo_gamma = 0.5;
    std::optional<double> cpo_alpha;  // cpo 1, simpo 0
    double desirable_weight = 1.0, undesirable_weight = 1.0;
    std::string reference = "auto";  // auto | base | init_adapter
    bool precompute_ref_log_probs = false;
    bool prefix_sharing = true;
};

struct Config {
    std::string model;
    std::string output_dir = "runs";
    std::string run_name = "run";
    std::string dtype = "bfloat16";
    bool load_in_4bit = false;
    std::string bnb_4bit_quant_type = "nf4";
    bool bnb_4bit_use_double_quant = false;
    bool load_in_fp8 = false;
    bool keep_quantized = false;
    std::string device = "auto";
    std::string isa = "auto";
    std::int64_t threads = 0;
    std::string attention = "auto";      // auto | own | cudnn
    std::string rank_exchange = "auto";  // auto | host | nccl
    DataConfig data;
    LoraConfig lora;
    TrainingConfig train;
    DpoConfig dpo;
    TrackingSettings tracking;

    template <class Visitor> void visit(Visitor&& visitor);  // train/config_fields.h
};

enum class TrainKind : std::uint8_t { sft, dpo };  // decides the default learning rate

struct ConfigNotes {
    std::vector<std::string> notes;     // aliases taken and the like, for the log
    std::optional<std::string> resume;  // what resume_from_checkpoint says in the terms of --resume: "auto", "no" or a path
};

// Flags aside, precedence is key=value, environment (TEMPER_TRAIN__SEED), file, defaults. Usage error with the place for everything that cannot
// be: unknown keys, wrong types, values that contradict one another. missing_input when there is no such file.
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides, TrainKind kind, ConfigNotes* notes = nullptr);
Config parse_config(const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides, TrainKind kind,
                    ConfigNotes* notes = nullptr);

nlohmann::ordered_json config_json(const Config& config);  // resolved, in the order of declaration
std::string config_yaml(const Config& config);             // the same as YAML: reads back as the same Config
// SHA-256 of the settings that decide numbers. Left out, because they change no bit of the result: threads, output_dir, run_name,
// rank_exchange, logging_steps, save_steps, save_total_limit, micro_batch_tokens, gradient_checkpointing.
std::string config_hash(const Config& config);

nlohmann::ordered_json config_schema();  // JSON Schema, draft 2020-12
std::string config_markdown();           // docs/config.md
std::string config_help();               // the settings in --help

}  // namespace temper
