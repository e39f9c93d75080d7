// Keys of transformers' TrainingArguments and PEFT that TRL and Axolotl both hand on, and that need no thought.
#include "train/import_sheet.h"

namespace temper {

const std::vector<ImportRule>& transformers_rules() {
    using Action = ImportRule::Action;
    static const char* memory = "memory alone; the plan decides here";
    static const char* speed = "speed alone";
    static const char* upload = "nothing is uploaded";
    static const char* logs = "metrics.jsonl, run.json and report.html are always written";
    static const char* ranks = "ranks are mpirun's or Slurm's, and change no number";
    static const std::vector<ImportRule> list = {
        {"output_dir", Action::copy, "output_dir"},
        {"learning_rate", Action::copy, "train.learning_rate"},
        {"max_steps", Action::copy, "train.max_steps"},
        {"lr_scheduler_kwargs", Action::copy, "train.lr_scheduler_kwargs"},
        {"weight_decay", Action::copy, "train.weight_decay"},
        {"max_grad_norm", Action::copy, "train.max_grad_norm"},
        {"adam_beta1", Action::copy, "train.adam_beta1"},
        {"adam_beta2", Action::copy, "train.adam_beta2"},
        {"adam_epsilon", Action::copy, "train.adam_epsilon"},
        {"seed", Action::copy, "train.seed"},
        {"save_total_limit", Action::copy, "train.save_total_limit"},
        {"load_best_model_at_end", Action::copy, "train.load_best_model_at_end"},
        {"metric_for_best_model", Action::copy, "train.metric_for_best_model"},
        {"lora_r", Action::copy, "lora.r"},
        {"lora_alpha", Action::copy, "lora.lora_alpha"},
        {"lora_dropout", Action::copy, "lora.lora_dropout"},
        {"gradient_checkpointing", Action::pass, memory},
        {"gradient_checkpointing_kwargs", Action::pass, memory},
        {"activation_offloading", Action::pass, memory},
        {"auto_find_batch_size", Action::pass, memory},
        {"low_cpu_mem_usage", Action::pass, memory},
        {"attn_implementation", Action::pass, speed},
        {"use_kernels", Action::pass, speed},
        {"tf32", Action::pass, speed},
        {"torch_compile", Action::pass, speed},
        {"torch_compile_backend", Action::pass, speed},
        {"torch_compile_mode", Action::pass, speed},
        {"dataloader_num_workers", Action::pass, speed},
        {"dataloader_pin_memory", Action::pass, speed},
        {"dataset_num_proc", Action::pass, speed},
        {"group_by_length", Action::only_off, "rows come in another order"},
        {"hub_model_id", Action::pass, upload},
        {"hub_strategy", Action::pass, upload},
        {"logging_first_step", Action::pass, logs},
        {"include_tokens_per_second", Action::pass, logs},
        {"trackio_space_id", Action::pass, logs},
        {"wandb_project", Action::pass, logs},
        {"wandb_entity", Action::pass, logs},
        {"resume_from_checkpoint", Action::pass, "the option --resume"},
        {"save_only_model", Action::pass, "checkpoints are whole, the adapter is written beside them"},
        {"save_safetensors", Action::pass, "always"},
        {"remove_unused_columns", Action::pass, "other columns are left alone"},
        {"trust_remote_code", Action::pass, "no code is loaded"},
        {"ddp_timeout", Action::pass, ranks},
        {"ddp_find_unused_parameters", Action::pass, ranks},
        {"ddp_bucket_cap_mb", Action::pass, ranks},
        {"deepspeed", Action::pass, ranks},
        {"fsdp", Action::pass, ranks},
        {"fsdp_config", Action::pass, ranks},
        {"accelerator_config", Action::pass, ranks},
        {"neftune_noise_alpha", Action::only_off, "noise on embeddings is not to be had"},
        {"label_smoothing_factor", Action::only_off, "label smoothing is not to be had"},
        {"optim_args", Action::only_off, "the optimizer is AdamW with adam_beta1, adam_beta2, adam_epsilon"},
        {"lora_modules_to_save", Action::copy, "lora.modules_to_save"},
        {"lora_target_parameters", Action::only_off, "parameters outside of linear layers are not to be had"},
    };
    return list;
}

}  // namespace temper
