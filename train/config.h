// Settings of `temper sft` and `temper dpo`. Each field is declared once, in visit(): name, default, help. From that come the YAML parser,
// key=value, --help, the reference page, the JSON Schema and the resolved configuration in the run record.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace temper {

struct DataFile {
    std::string path;
    double weight = 1.0;
    std::int64_t max_rows = -1;
    std::map<std::string, std::string> columns;  // ours -> the file's
};

struct DataConfig {
    std::vector<DataFile> train, eval;
    std::int64_t max_length = 1024;
    std::string on_overlong = "truncate";  // truncate | drop | fail
    bool shuffle = true;
    bool completion_only_loss = true;
    bool assistant_only_loss = false;
};

struct LoraConfig {
    std::int64_t r = 16;
    double lora_alpha = 32;
    double lora_dropout = 0.0;
    std::vector<std::string> target_modules = {"all-linear"};
    bool use_rslora = false;
    std::map<std::string, std::int64_t> rank_pattern;
    std::map<std::string, double> alpha_pattern;
    std::optional<std::string> init_adapter;
};

struct TrainingConfig {
    double num_train_epochs = 3;
    std::int64_t max_steps = -1;
    std::int64_t global_batch_size = 16;
    std::int64_t micro_batch_tokens = 4096;
    std::int64_t leaf_tokens = 512;
    std::optional<double> learning_rate;  // sft 1e-4, dpo 5e-6
    std::string lr_scheduler_type = "cosine";
    std::map<std::string, double> lr_scheduler_kwargs;  // min_lr, min_lr_rate, num_cycles, power, lr_end, num_decay_steps, timescale ...
    double warmup_steps = 0;                            // < 1 is a ratio
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
    std::string reference = "auto";
    bool precompute_ref_log_probs = false;
};

struct Config {
    std::string model;
    std::string output_dir = "runs";
    std::string run_name = "run";
    std::string dtype = "bfloat16";
    std::string device = "auto";
    std::string isa = "auto";
    std::int64_t threads = 0;
    DataConfig data;
    LoraConfig lora;
    TrainingConfig train;
    DpoConfig dpo;

    template <class Visitor> void visit(Visitor&& visitor);  // train/config_fields.h
};

}  // namespace temper
