// Keys of transformers' TrainingArguments and PEFT that TRL and Axolotl both hand on, and that need no thought.
#include "train/import_sheet.h"

namespace temper {

const std::vector<ImportRule>& transformers_rules() {
    using Action = ImportRule::Action;
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
        {"gradient_checkpointing", Action::pass, reasons::memory},
        {"gradient_checkpointing_kwargs", Action::pass, reasons::memory},
        {"activation_offloading", Action::pass, reasons::memory},
        {"auto_find_batch_size", Action::pass, reasons::memory},
        {"low_cpu_mem_usage", Action::pass, reasons::memory},
        {"attn_implementation", Action::pass, reasons::speed},
        {"use_kernels", Action::pass, reasons::speed},
        {"tf32", Action::pass, reasons::speed},
        {"torch_compile", Action::pass, reasons::speed},
        {"torch_compile_backend", Action::pass, reasons::speed},
        {"torch_compile_mode", Action::pass, reasons::speed},
        {"dataloader_num_workers", Action::pass, reasons::speed},
        {"dataloader_pin_memory", Action::pass, reasons::speed},
        {"dataset_num_proc", Action::pass, reasons::speed},
        {"group_by_length", Action::only_off, "rows come in another order"},
        {"hub_model_id", Action::pass, reasons::upload},
        {"hub_strategy", Action::pass, reasons::upload},
        {"logging_first_step", Action::pass, reasons::logs},
        {"include_tokens_per_second", Action::pass, reasons::logs},
        {"trackio_space_id", Action::pass, reasons::logs},
        {"wandb_project", Action::pass, reasons::logs},
        {"wandb_entity", Action::pass, reasons::logs},
        {"resume_from_checkpoint", Action::pass, "the option --resume"},
        {"save_only_model", Action::pass, "checkpoints are whole, the adapter is written beside them"},
        {"save_safetensors", Action::pass, "always"},
        {"remove_unused_columns", Action::pass, "other columns are left alone"},
        {"trust_remote_code", Action::pass, "no code is loaded"},
        {"ddp_timeout", Action::pass, reasons::ranks},
        {"ddp_find_unused_parameters", Action::pass, reasons::ranks},
        {"ddp_bucket_cap_mb", Action::pass, reasons::ranks},
        {"deepspeed", Action::pass, reasons::ranks},
        {"fsdp", Action::pass, reasons::ranks},
        {"fsdp_config", Action::pass, reasons::ranks},
        {"accelerator_config", Action::pass, reasons::ranks},
        {"neftune_noise_alpha", Action::only_off, "noise on embeddings is not to be had"},
        {"label_smoothing_factor", Action::only_off, "label smoothing is not to be had"},
        {"optim_args", Action::only_off, "the optimizer is AdamW with adam_beta1, adam_beta2, adam_epsilon"},
        {"lora_modules_to_save", Action::copy, "lora.modules_to_save"},
        {"lora_target_parameters", Action::only_off, "parameters outside of linear layers are not to be had"},
    };
    return list;
}

}  // namespace temper
