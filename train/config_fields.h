// The one list of settings: every field of Config with its help, its check, and where our default is not TRL 1.16's.
#pragma once
#include "io/settings.h"
#include "runs/trackers/settings_fields.h"
#include "train/config.h"
#include "train/losses/preference.h"

namespace temper {

constexpr double most_count = 2147483647;  // of rows, tokens and steps in one setting

template <class Visitor> void describe(Visitor& v, DataFile& file) {
    v("path", file.path,
      "JSONL, a JSON list (.json), CSV or TSV, each also as .gz or .zst; Arrow (.arrow, or a directory of datasets' save_to_disk).", not_empty());
    v("weight", file.weight, "Share of the file in an epoch: 2 takes each row twice, 0.5 every other one.", positive());
    v("max_rows", file.max_rows, "Rows taken from the start of the file; -1 takes all.", at_least(-1)).unit("rows");
    v("columns", file.columns,
      "Our names of fields to the file's, where they differ: prompt, completion, messages, conversations, text, instruction, input, output, system, "
      "history, tools, documents, chat_template_kwargs, chosen, rejected, label; role and content are fields of a message.",
      not_empty());
    v("format", file.format,
      "Form of the rows; auto goes by their fields, in this order. alpaca writes instruction, input and output as Stanford's prompt, alpaca_chat as "
      "a conversation, which auto takes where there is a chat template. Of preference rows it says where the prompt stands.",
      one_of({"auto", "prompt_completion", "messages", "sharegpt", "text", "alpaca", "alpaca_chat", "tokens"}));
}

template <class Visitor> void describe(Visitor& v, DataConfig& data) {
    v.records(
        "train", data.train, "path",
        "Training rows: prompt + completion, messages, conversations, text, or instruction + output; for dpo prompt + chosen + rejected, or for "
        "kto prompt + completion + label (docs/preferences.md). Several files are mixed.");
    v.records("eval", data.eval, "path", "Held-out rows, in the same forms.");
    v("max_length", data.max_length, "Longest row.", range(2, most_count)).unit("tokens");
    v("on_overlong", data.on_overlong, "What happens to longer rows. Counted and reported in every case.", one_of({"truncate", "drop", "fail"}));
    v("on_identical", data.on_identical,
      "What happens to a pair whose chosen and rejected answers are the same tokens, within max_length: it holds no preference. Counted and reported "
      "in every case. dpo only.",
      one_of({"keep", "drop", "fail"}))
        .differs("keep");
    v("on_empty", data.on_empty,
      "What happens to a preference row with an answer without text. An answer without a single token is dropped even with keep. Counted and "
      "reported in every case. dpo only.",
      one_of({"keep", "drop", "fail"}))
        .differs("keep");
    v("shuffle", data.shuffle, "Shuffle rows in every epoch, by the seed.");
    v("completion_only_loss", data.completion_only_loss,
      "Learn only the completion of prompt + completion rows; other rows are supervised throughout.");
    v("assistant_only_loss", data.assistant_only_loss, "Learn only the assistant's turns of messages rows.");
    v("val_size", data.val_size,
      "Rows held out of data.train for evaluation, where data.eval is not given; below 1 it is a ratio, 0 is off. Chosen by "
      "train.seed; these rows are never trained on.",
      at_least(0))
        .unit("rows");
    v("chat_template", data.chat_template, "Chat template in place of the model's: a .jinja file, or the template itself.", not_empty());
}

template <class Visitor> void describe(Visitor& v, LoraConfig& lora) {
    v("r", lora.r, "Rank of the adapter.", at_least(1));
    v("lora_alpha", lora.lora_alpha, "Scale: the adapter's output is multiplied by lora_alpha / r.", positive());
    v("lora_dropout", lora.lora_dropout,
      "Share of an adapter's inputs that are dropped in training, another mask for every linear layer; off in evaluation.", half_open(0, 1))
        .differs("0.05");
    v("target_modules", lora.target_modules,
      "Linear layers adapted: last names (q_proj) or paths (model.layers.0.mlp.up_proj), or one regular expression for whole paths; all-linear "
      "is every one but the output head.",
      not_empty())
        .differs("the model family's list, as a rule q_proj and v_proj");
    v("exclude_modules", lora.exclude_modules, "Layers that are not adapted, in the same forms; they win over target_modules.", not_empty());
    v("layers_to_transform", lora.layers_to_transform, "Numbers of the layers, from 0, in which target_modules holds for last names; none is all.",
      at_least(0));
    v("layers_pattern", lora.layers_pattern, "Names of the list of layers in paths (layers), for layers_to_transform.", not_empty());
    v("use_dora", lora.use_dora, "DoRA: every adapted layer also learns the length of the rows of its weight.");
    v("use_rslora", lora.use_rslora, "Scale by lora_alpha / sqrt(r).");
    v("init_lora_weights", lora.init_lora_weights,
      "Start: true is A uniform (Kaiming), gaussian A normal with deviation 1 / r, both with B zero; pissa takes the largest singular values of "
      "the weight, pissa_niter_N finds them by N random iterations, olora takes the leading part of its QR. With the last three the base weight "
      "gives up what the adapter takes, and the adapter saved is the difference, of twice the rank, for the weights as they were.");
    v("rank_pattern", lora.rank_pattern,
      "r of single layers: the end of a path, or a regular expression for it, to a rank. Of several keys that match, the first in "
      "alphabetical order counts.",
      at_least(1));
    v("alpha_pattern", lora.alpha_pattern, "lora_alpha of single layers, by the same keys.", positive());
    v("modules_to_save", lora.modules_to_save,
      "Trained whole beside the adapter: embed_tokens, lm_head. In float32 with their own moments: see the memory plan.",
      one_of({"embed_tokens", "model.embed_tokens", "lm_head"}));
    v("ensure_weight_tying", lora.ensure_weight_tying,
      "Of modules_to_save where the head is tied to the embedding: both stay one weight. false trains two, as PEFT does.");
    v("new_tokens", lora.new_tokens,
      "Special tokens added to the tokenizer; the vocabulary grows where it has no room for them, new rows begin as the mean of the others. The "
      "adapter directory holds the tokenizer then.",
      not_empty());
    v("init_adapter", lora.init_adapter,
      "PEFT adapter directory to start from. r, lora_alpha and target_modules are the adapter's own; one that is set must say the same.",
      not_empty());
}

template <class Visitor> void describe(Visitor& v, TrainingConfig& train) {
    v("num_train_epochs", train.num_train_epochs, "Passes over the training rows.", positive_up_to(1e6)).unit("epochs");
    v("max_steps", train.max_steps, "Stop after so many optimizer steps, whatever num_train_epochs says; -1 is off.", range(-1, most_count))
        .unit("steps");
    v("global_batch_size", train.global_batch_size,
      "Rows (SFT) or pairs (DPO) an optimizer step, over all ranks. Rows are laid end to end without padding.", range(1, most_count))
        .unit("rows")
        .differs("8 rows on each device (per_device_train_batch_size 8, gradient_accumulation_steps 1)");
    v("micro_batch_tokens", train.micro_batch_tokens, "Tokens in one forward and backward pass on one rank: decides memory, changes no number.",
      range(1, most_count))
        .unit("tokens");
    v("leaf_tokens", train.leaf_tokens,
      "Rows are summed in leaves of at least so many tokens, in a fixed tree: part of the numbers, on any number of ranks.", range(1, most_count))
        .unit("tokens");
    v("gradient_checkpointing", train.gradient_checkpointing,
      "Keep only the input of every layer and run its forward pass again before its backward pass: less memory, a third to a half more "
      "work, the same numbers. auto does it when the plan would not fit otherwise.",
      one_of({"auto", "true", "false"}))
        .differs("true");
    v("learning_rate", train.learning_rate, "Peak learning rate; null is 1e-4 for sft and 5e-6 for dpo.", positive())
        .differs("2e-5 for SFT, 1e-6 for DPO");
    v("lr_scheduler_type", train.lr_scheduler_type, "Schedule, by transformers' formulas.",
      one_of(
          {"linear", "cosine", "cosine_with_min_lr", "constant", "constant_with_warmup", "wsd", "warmup_stable_decay", "polynomial", "inverse_sqrt"}))
        .differs("linear");
    v("lr_scheduler_kwargs", train.lr_scheduler_kwargs,
      "Numbers of the schedule: num_cycles (cosine, cosine_with_min_lr, wsd), min_lr or min_lr_rate (cosine_with_min_lr), num_decay_steps, "
      "min_lr_ratio (wsd), lr_end, power (polynomial), timescale (inverse_sqrt).");
    v("warmup_steps", train.warmup_steps, "Steps of linear warm-up; below 1 it is a ratio of all steps.", at_least(0)).unit("steps");
    v("loraplus_lr_ratio", train.loraplus_lr_ratio,
      "LoRA+: B's learning rate is this multiple of learning_rate; null is off. weight_decay holds for both, as PEFT's "
      "loraplus_weight_decay.",
      positive());
    v("weight_decay", train.weight_decay, "AdamW's decoupled weight decay.", at_least(0));
    v("max_grad_norm", train.max_grad_norm, "Gradients are scaled to at most this global norm; 0 is off.", at_least(0));
    v("adam_beta1", train.adam_beta1, "AdamW's decay of the first moment.", half_open(0, 1));
    v("adam_beta2", train.adam_beta2, "AdamW's decay of the second moment.", half_open(0, 1));
    v("adam_epsilon", train.adam_epsilon, "AdamW's epsilon.", positive());
    v("seed", train.seed, "Seed of the adapter's start and of the row order.", at_least(0));
    v("logging_steps", train.logging_steps, "Steps between lines of metrics.jsonl.", at_least(1)).unit("steps").differs("10");
    v("eval_steps", train.eval_steps,
      "Steps between evaluations, which need data.eval or data.val_size. With either the run also evaluates at its end; 0 is at the end alone.",
      at_least(0))
        .unit("steps");
    v("save_steps", train.save_steps, "Steps between checkpoints; 0 saves only at the end and on a signal.", at_least(0))
        .unit("steps")
        .differs("500");
    v("save_total_limit", train.save_total_limit, "Checkpoints kept, the newest and the best; 0 keeps all.", at_least(0)).differs("no limit");
    v("load_best_model_at_end", train.load_best_model_at_end, "The adapter written is that of the best evaluation.");
    v("metric_for_best_model", train.metric_for_best_model, "What best means; a loss is better when lower, other metrics when higher.", not_empty());
    v("early_stopping_patience", train.early_stopping_patience, "Stop after so many evaluations without a better one; 0 is off.", at_least(0))
        .unit("evaluations");
}

template <class Visitor> void describe(Visitor& v, DpoConfig& dpo) {
    v("beta", dpo.beta,
      "Strength of the pull toward the reference model; of orpo the weight of its odds ratio, of cpo and simpo the scale of rewards.", positive());
    v("loss_type", dpo.loss_type,
      "Loss, or several that are added with loss_weights. orpo, cpo, simpo and sft need no reference; kto and apo_zero_unpaired take rows of one "
      "labelled completion and stand alone.",
      one_of(preference_loss_names()));
    v("loss_weights", dpo.loss_weights, "One weight a loss; none is 1 each.", at_least(0));
    v("label_smoothing", dpo.label_smoothing,
      "Probability that a preference is the wrong way round: of robust, exo_pair, aot, aot_unpaired, cpo and simpo.", half_open(0, 0.5));
    v("f_divergence_type", dpo.f_divergence_type,
      "Divergence from the reference, of sigmoid, sigmoid_norm, hinge, ipo, exo_pair, robust and discopop.",
      one_of({"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"}));
    v("f_alpha_divergence_coef", dpo.f_alpha_divergence_coef, "Alpha of alpha_divergence.");
    v("discopop_tau", dpo.discopop_tau, "Temperature of discopop's blend of two losses.", positive());
    v("simpo_gamma", dpo.simpo_gamma, "Margin that simpo asks for between the two rewards.", at_least(0));
    v("cpo_alpha", dpo.cpo_alpha, "Weight of the likelihood of the chosen completion in cpo and simpo; null is 1 for cpo and 0 for simpo.",
      at_least(0))
        .differs("1 for both");
    v("desirable_weight", dpo.desirable_weight, "Weight of desirable rows, of kto and apo_zero_unpaired.", at_least(0));
    v("undesirable_weight", dpo.undesirable_weight, "Weight of undesirable rows.", at_least(0));
    v("reference", dpo.reference, "The frozen model compared with: base, or init_adapter on it; auto is init_adapter where one is given, else base.",
      one_of({"auto", "base", "init_adapter"}));
    v("precompute_ref_log_probs", dpo.precompute_ref_log_probs, "Score all pairs with the reference before the first step.");
    v("prefix_sharing", dpo.prefix_sharing,
      "Compute the prompt of a pair once for both answers. The same function either way, up to the rounding of sums.");
}

template <class Visitor> void Config::visit(Visitor&& v) {
    v("model", model, "Hugging Face directory, or a .gguf file.", not_empty());
    v("output_dir", output_dir, "Directory of run directories.", not_empty()).differs("trainer_output");
    v("run_name", run_name, "Name of the run, part of its directory's name.", not_empty());
    v("dtype", dtype, "Frozen weights and stored activations; float32 is the reference path.", one_of({"bfloat16", "float32"}))
        .differs("float32 weights computed under bfloat16 autocast");
    v("load_in_4bit", load_in_4bit,
      "QLoRA: the linear layers of the blocks are quantised to 4 bits as they are read and stay so in memory; embedding, head and norms keep dtype. "
      "A "
      "model that bitsandbytes has quantised needs no setting.");
    v("bnb_4bit_quant_type", bnb_4bit_quant_type, "Kind of 4-bit numbers.", one_of({"nf4"}));
    v("bnb_4bit_use_double_quant", bnb_4bit_use_double_quant,
      "Quantise the scales of 4-bit blocks as well, to 8 bits: 4.13 bits a number in place of 4.5.");
    v("load_in_fp8", load_in_fp8,
      "The linear layers of the blocks are quantised to 8-bit floats (e4m3) with a scale a row as they are read and stay so in memory. A model whose "
      "weights are stored so needs no setting.");
    v("keep_quantized", keep_quantized,
      "Of a .gguf model: the blocks that it is quantised to stay so in memory, in place of dtype. The same numbers.");
    v("device", device, "Where to compute.", one_of({"auto", "cpu", "cuda"}));
    v("isa", isa, "Instruction set of the CPU kernels; auto takes the best of this processor.",
      one_of({"auto", "scalar", "avx2", "avx512", "avx512_bf16", "amx"}));
    v("threads", threads, "Threads of a rank; 0 takes OMP_NUM_THREADS or its share of the cores.", range(0, 4096));
    v("attention", attention,
      "Attention on a CUDA device: our own kernels, or cuDNN's where it can (docs/cuda.md), whose bits its version decides. auto is our own.",
      one_of({"auto", "own", "cudnn"}));
    v("rank_exchange", rank_exchange,
      "How gradients go between ranks on CUDA devices: host is over MPI through host memory, nccl from device to device, auto is nccl where the "
      "build has it and every rank a device of its own. Changes no number.",
      one_of({"auto", "host", "nccl"}));
    v.section("data", data, "Rows in.");
    v.section("lora", lora, "The adapter, in PEFT's terms.");
    v.section("train", train, "Optimizer, schedule, and how often things happen.");
    v.section("dpo", dpo, "Used by `temper dpo` alone.");
    v.section("tracking", tracking, "Where the run is reported to (docs/trackers.md). Changes no number.");

    v.alias("model_name_or_path", "model");
    v.alias("base_model", "model");
    v.alias("torch_dtype", "dtype");
    v.alias("use_bnb_nested_quant", "bnb_4bit_use_double_quant");
    v.alias("train_file", "data.train");
    v.alias("validation_file", "data.eval");
    v.alias("max_seq_length", "data.max_length");
    v.alias("sequence_len", "data.max_length");
    v.alias("shuffle_dataset", "data.shuffle");
    v.alias("cutoff_len", "data.max_length");
    v.alias("dataset_name", "data.train");
    v.alias("datasets", "data.train");
    v.alias("eval_dataset", "data.eval");
    v.alias("test_datasets", "data.eval");
    v.alias("val_set_size", "data.val_size");
    v.alias("test_split_size", "data.val_size");
    v.alias("chat_template_path", "data.chat_template");
    v.alias("chat_template_jinja", "data.chat_template");
    v.alias("excess_length_strategy", "data.on_overlong");
    v.alias("lora_r", "lora.r");
    v.alias("lora_rank", "lora.r");
    v.alias("peft_use_rslora", "lora.use_rslora");
    v.alias("lora_target_modules", "lora.target_modules");
    v.alias("num_epochs", "train.num_train_epochs");
    v.alias("lr_scheduler", "train.lr_scheduler_type");
    v.alias("warmup_ratio", "train.warmup_steps");
    v.alias("adam_eps", "train.adam_epsilon");
    v.alias("logging_dir", "tracking.tensorboard_dir");
    for (const char* name : {"packing", "padding_free", "sample_packing"})
        v.outside(name, "Nothing: rows are always laid end to end without padding.");
    v.outside("resume_from_checkpoint", "The option --resume: true is auto, false is no, text is a path.");
    v.outside("lora_target_linear", "true is lora.target_modules all-linear.");
    v.outside("bf16", "true is dtype bfloat16; dtype decides.");
    for (const char* name : {"per_device_train_batch_size", "gradient_accumulation_steps", "micro_batch_size"}) v.outside(name);
}

}  // namespace temper
