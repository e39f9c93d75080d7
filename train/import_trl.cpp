#include <cmath>

#include "train/import_sheet.h"

namespace temper {
namespace {

using Action = ImportRule::Action;

const std::vector<ImportRule>& rules() {
    static const std::vector<ImportRule> list = {
        {"num_train_epochs", Action::copy, "train.num_train_epochs"},
        {"lr_scheduler_type", Action::copy, "train.lr_scheduler_type"},
        {"assistant_only_loss", Action::copy, "data.assistant_only_loss"},
        {"completion_only_loss", Action::copy, "data.completion_only_loss"},
        {"lora_target_modules", Action::copy, "lora.target_modules"},
        {"use_rslora", Action::copy, "lora.use_rslora"},
        {"activation_checkpointing", Action::pass, reasons::memory},
        {"torch_empty_cache_steps", Action::pass, reasons::memory},
        {"use_liger_kernel", Action::pass, reasons::speed},
        {"dataloader_persistent_workers", Action::pass, reasons::speed},
        {"dataset_streaming", Action::pass, reasons::speed},
        {"streaming", Action::pass, reasons::speed},
        {"padding_free", Action::pass, "rows are always laid end to end without padding"},
        {"pad_to_multiple_of", Action::pass, "rows are always laid end to end without padding"},
        {"eval_packing", Action::pass, "rows are always laid end to end without padding"},
        {"pad_token", Action::pass, "rows are laid end to end without padding"},
        {"shuffle_dataset", Action::pass, "rows are shuffled in every epoch, as TRL's sampler does in any case"},
        {"push_to_hub", Action::pass, reasons::upload},
        {"hub_model_revision", Action::pass, reasons::upload},
        {"hub_token", Action::pass, reasons::upload},
        {"hub_private_repo", Action::pass, reasons::upload},
        {"hub_always_push", Action::pass, reasons::upload},
        {"report_to", Action::pass, reasons::logs},
        {"log_level", Action::pass, reasons::logs},
        {"logging_dir", Action::pass, reasons::logs},
        {"logging_strategy", Action::pass, reasons::logs},
        {"logging_nan_inf_filter", Action::pass, "a loss that is no number stops the run"},
        {"disable_tqdm", Action::pass, reasons::logs},
        {"include_num_input_tokens_seen", Action::pass, reasons::logs},
        {"do_train", Action::pass, "temper sft and temper dpo train"},
        {"do_eval", Action::pass, "train.eval_steps says it"},
        {"overwrite_output_dir", Action::pass, "every run has a directory of its own"},
        {"save_on_each_node", Action::pass, reasons::ranks},
        {"per_device_eval_batch_size", Action::pass, "an evaluation sums over every token: its batches change nothing"},
        {"eval_accumulation_steps", Action::pass, "an evaluation sums over every token: its batches change nothing"},
        {"eval_on_start", Action::pass, "evaluations follow train.eval_steps"},
        {"eval_delay", Action::pass, "evaluations follow train.eval_steps"},
        {"average_tokens_across_devices", Action::pass, "always"},
        {"lora_task_type", Action::pass, "CAUSAL_LM"},
        {"use_reentrant", Action::pass, reasons::memory},
        {"ddp_backend", Action::pass, reasons::ranks},
        {"parallelism_config", Action::pass, "give --gpus the number of data-parallel processes"},
        {"use_cpu", Action::pass, "device says it"},
        {"full_determinism", Action::pass, "always"},
        {"eos_token_id", Action::pass, "the model's files say it"},
        {"jit_mode_eval", Action::pass, reasons::speed},
        {"enable_jit_checkpoint", Action::pass, "a signal saves the state in any case"},
        {"optim_target_modules", Action::only_off, "the optimizer is AdamW"},
        {"load_in_8bit", Action::only_off, "base weights are quantised by load_in_4bit or load_in_fp8 alone; LLM.int8() gives another result"},
        {"use_dora", Action::copy, "lora.use_dora"},
        {"router_aux_loss_coef", Action::pass, "of mixture-of-experts models"},
        {"model_init_kwargs", Action::only_off, "the model's files say everything"},
        {"ignore_data_skip", Action::pass, "a resumed run goes on where it stopped"},
        {"dataloader_drop_last", Action::only_off, "the last rows of an epoch make a step of their own"},
        {"past_index", Action::only_off, "not to be had"},
        {"dataset_config", Action::pass, "a file has no configurations"},
        {"ignore_bias_buffers", Action::pass, "of a debugging aid"},
    };
    return list;
}

void precision(ImportSheet& sheet) {
    const auto bf16 = sheet.take("bf16"), fp16 = sheet.take("fp16");
    auto dtype = sheet.take("dtype");
    if (const auto older = sheet.take("torch_dtype"); older && !dtype) dtype = older;
    const bool half = fp16 && !is_off(*fp16->node), computed = !bf16 || !is_off(*bf16->node);  // TRL's default is bf16
    const std::string ours = computed || half ? "bfloat16" : "float32";
    sheet.set("dtype", ours);
    if (half) sheet.changed(*fp16, "dtype", ours, "bfloat16, which has float32's range, in place of float16");
    else if (fp16) sheet.not_needed(*fp16, "off");
    if (bf16) sheet.mapped(*bf16, "dtype", ours);
    if (!dtype) return;
    const std::string text = dtype->text();
    if (text == ours || (text == "auto" && ours == "bfloat16")) sheet.mapped(*dtype, "dtype", ours);
    else if (text == "bfloat16" || text == "float16") sheet.changed(*dtype, "dtype", "bfloat16", "weights are kept in bfloat16");
    else
        sheet.changed(*dtype, "dtype", ours,
                      "TRL keeps the frozen weights in " + text + " and computes in bf16; dtype: float32 does both in float32");
}

void batch(ImportSheet& sheet) {
    sheet.batch.micro = 8;
    sheet.batch.where = "TRL's default";
    for (const char* name : {"per_device_train_batch_size", "gradient_accumulation_steps"}) {
        const auto taken = sheet.take(name);
        if (!taken) continue;
        const Json value = json_of(*taken->node);
        if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > 1000000) {
            sheet.unsupported(*taken, "expected a whole number of at least 1");
            continue;
        }
        (name[0] == 'p' ? sheet.batch.micro : sheet.batch.accumulation) = value.get<std::int64_t>();
        sheet.changed(*taken, "a factor of train.global_batch_size");
    }
    const auto packing = sheet.take("packing");
    const auto strategy = sheet.take("packing_strategy");
    sheet.batch.packed = packing && !is_off(*packing->node);
    if (packing && !sheet.batch.packed) sheet.not_needed(*packing, "rows are always laid end to end without padding");
    if (packing && sheet.batch.packed)
        sheet.changed(*packing, "rows are always laid end to end; train.global_batch_size counts them as packing puts them together");
    if (!strategy) return;
    if (!sheet.batch.packed || strategy->text() == "bfd") sheet.not_needed(*strategy, "rows stay whole");
    else sheet.unsupported(*strategy, strategy->text() + " cuts rows in pieces; here they stay whole");
}

// "epoch", "steps" or "no", and what `steps_key` says of it; by_default and why where that is absent.
void intervals(ImportSheet& sheet, const std::string& strategy_key, const std::string& steps_key, const char* target, const std::string& absent,
               Json by_default, const char* absent_steps) {
    const auto strategy = sheet.take(strategy_key), steps = sheet.take(steps_key);
    const std::string kind = strategy ? strategy->text() : absent;
    if (kind == "no" || (strategy && is_off(*strategy->node))) {
        sheet.set(target, 0);
        if (strategy) sheet.mapped(*strategy, target, 0);
        if (steps) sheet.not_needed(*steps, "of another " + strategy_key);
        return;
    }
    if (kind == "epoch") {
        sheet.changed(*strategy, "counted in steps: see " + std::string(target));
        sheet.shares.push_back({strategy_key, "", target, 1.0, 0.0});
        if (steps) sheet.not_needed(*steps, "of another " + strategy_key);
        return;
    }
    if (kind == "best") return sheet.changed(*strategy, "the best adapter is kept by train.load_best_model_at_end");
    if (strategy) sheet.not_needed(*strategy, "steps");
    if (!steps) return sheet.defaulted(target, std::move(by_default), absent_steps);
    const Json value = json_of(*steps->node);
    if (value.is_number() && value.get<double>() < 1 && value.get<double>() > 0) {
        sheet.changed(*steps, "counted in steps: see " + std::string(target));
        sheet.shares.push_back({steps_key, "", target, 0.0, value.get<double>()});
    } else {
        sheet.mapped(*steps, target);
    }
}

void lengths(ImportSheet& sheet) {
    for (const char* name : {"max_length", "max_seq_length"}) {
        if (sheet.is_null(name)) {
            sheet.take(name);
            sheet.set("data.on_overlong", "fail");
            sheet.to_do(name, "", "data.max_length",
                        "null is no limit in TRL: set data.max_length to the longest row; until then longer rows are refused, none is cut");
        } else if (const auto taken = sheet.take(name)) {
            sheet.mapped(*taken, "data.max_length");
        }
    }
    if (const auto more = sheet.take("dataset_kwargs")) {
        const YamlNode* skip = more->node->find("skip_prepare_dataset");
        if (skip == nullptr || is_off(*skip)) sheet.not_needed(*more, "columns and format of data.train say it");
        else sheet.to_do(*more, "the rows are tokens already: input_ids, and labels where not all is learned");
    }
}

void adapter(ImportSheet& sheet) {
    const auto use = sheet.take("use_peft");
    if (use && !is_off(*use->node)) sheet.not_needed(*use, "always");
    else if (use) sheet.unsupported(*use, "every weight is trained; temper sft trains LoRA adapters alone");
    else sheet.unsupported("use_peft", "it is not in the file, so every weight is trained; temper sft trains LoRA adapters alone");
}

void chat(ImportSheet& sheet) {
    if (const auto text = sheet.take("chat_template")) sheet.mapped(*text, "data.chat_template");
    if (const auto path = sheet.take("chat_template_path")) {
        const bool file = path->text().ends_with(".jinja") || path->text().ends_with(".j2");
        if (file) sheet.mapped(*path, "data.chat_template");
        else sheet.unsupported(*path, "the template of another model: save its chat_template.jinja and name that file");
    }
    if (const auto eos = sheet.take("eos_token")) import_special_token(sheet, *eos, "eos_token");
    if (const auto mode = sheet.take("truncation_mode")) {
        if (mode->text() == "keep_start") sheet.not_needed(*mode, "long rows keep their beginning");
        else sheet.unsupported(*mode, "long rows keep their beginning");
    }
    if (const auto loss = sheet.is_taken("loss_type") ? std::nullopt : sheet.take("loss_type")) {
        if (loss->text().find("nll") != std::string::npos) sheet.not_needed(*loss, "the loss is the mean nll of the supervised tokens");
        else sheet.unsupported(*loss, "the loss is the mean nll of the supervised tokens");
    }
    if (const auto order = sheet.take("train_sampling_strategy")) {
        if (order->text() == "random" || order->text() == "sequential") sheet.mapped(*order, "data.shuffle", order->text() == "random");
        else sheet.unsupported(*order, "rows come shuffled or in order");
    }
    if (const auto seed = sheet.take("data_seed")) {
        const Json* ours = sheet.find("train.seed");
        if (json_of(*seed->node) == (ours == nullptr ? Json(42) : *ours)) sheet.not_needed(*seed, "the same as seed");
        else sheet.changed(*seed, "one seed decides the adapter's start and the order of rows: train.seed");
    }
}

// One data set of a list: `path` or the handbook's `id`, with what is said of it.
void add_data_set(ImportSheet& sheet, const ImportSheet::Taken& entry, Json& files) {
    Json file = Json::object();
    for (std::size_t i = 0; i < entry.node->keys.size(); ++i) {
        const std::string& name = entry.node->keys[i].text;
        const YamlNode& value = entry.node->values[i];
        const ImportSheet::Taken part = sheet.part(entry, name, value);
        if (value.kind == YamlNode::Kind::null) continue;
        if (name == "path" || name == "id") {
            const YamlNode* split = entry.node->find("split");
            file["path"] = sheet.path_of(value.text, split == nullptr ? "" : split->text);
            sheet.listed(part, "data.train");
        } else if (name == "weight" || name == "fraction") {
            file["weight"] = json_of(value);
            sheet.changed(part, "every so many rows, where the source draws that share of them at random");
        } else if (name == "columns") {
            sheet.not_needed(part, "other columns are left alone");
        } else if (name == "split" && value.text == "train") {
            sheet.not_needed(part, "the file or directory is the split");
        } else if (name == "split" || name == "name" || name == "config" || name == "data_dir" || name == "data_files") {
            sheet.to_do(
                part, fmt::format("save this part of the data ({} {}) as the file or directory that data.train names", name, json_of(value).dump()));
        } else {
            sheet.unsupported(part, "not known of a data set");
        }
    }
    if (file.contains("path")) files.push_back(file);
}

void add_data_sets(ImportSheet& sheet, const ImportSheet::Taken& list, Json& files) {
    for (std::size_t i = 0; i < list.node->values.size(); ++i) add_data_set(sheet, sheet.part(list, std::to_string(i), list.node->values[i]), files);
}

void data(ImportSheet& sheet) {
    Json files = Json::array();
    if (const auto name = sheet.take("dataset_name")) {
        files.push_back(Json{{"path", sheet.path_of(name->text(), "")}});
        sheet.listed(*name, "data.train");
    }
    if (const auto list = sheet.take("datasets")) add_data_sets(sheet, *list, files);
    if (const auto size = sheet.take("test_split_size")) sheet.mapped(*size, "data.val_size");
    if (const auto mixture = sheet.take("dataset_mixture")) {
        for (std::size_t i = 0; i < mixture->node->keys.size(); ++i) {
            const auto part = sheet.part(*mixture, mixture->node->keys[i].text, mixture->node->values[i]);
            if (part.node->kind == YamlNode::Kind::null) continue;
            if (part.key.ends_with(".datasets")) add_data_sets(sheet, part, files);
            else if (part.key.ends_with(".test_split_size")) sheet.mapped(part, "data.val_size");
            else if (part.key.ends_with(".seed")) sheet.not_needed(part, "train.seed decides");
            else sheet.unsupported(part, "not known of a mixture");
        }
    }
    if (const auto field = sheet.take("dataset_text_field"); field && field->text() != "text") {
        for (Json& file : files) file["columns"] = {{"text", field->text()}};
        sheet.changed(*field, "columns of data.train: text is " + field->text());
    }
    if (const auto split = sheet.take("dataset_train_split")) {
        if (split->text() == "train") sheet.not_needed(*split, "the file or directory is the split");
        else sheet.to_do(*split, fmt::format("data.train has to be the split {}", split->text()));
    }
    if (const auto split = sheet.take("dataset_test_split"))
        sheet.to_do(*split, fmt::format("give data.eval=PATH of the split {}, or data.val_size", split->text()));
    if (!files.empty()) import_data_files(sheet, "", files);
}

}  // namespace

void import_trl(ImportSheet& sheet) {
    import_model(sheet, "model_name_or_path");
    if (const auto revision = sheet.take("model_revision")) {
        if (revision->text() == "main") sheet.not_needed(*revision, "the directory is the revision");
        else sheet.to_do(*revision, fmt::format("model has to be the revision {}", revision->text()));
    }
    import_run_name(sheet, "run_name");
    if (sheet.trains == TrainKind::dpo) import_trl_preferences(sheet);
    apply_rules(sheet, transformers_rules());
    apply_rules(sheet, rules());
    import_quantization(sheet, "use_bnb_nested_quant");
    import_optimizer(sheet, "optim");
    precision(sheet);
    adapter(sheet);
    lengths(sheet);
    batch(sheet);
    const auto warmup = sheet.take("warmup_steps"), ratio = sheet.take("warmup_ratio");  // steps above 0 win, as in transformers
    if (warmup && !is_off(*warmup->node)) sheet.mapped(*warmup, "train.warmup_steps");
    else if (ratio) sheet.mapped(*ratio, "train.warmup_steps");
    if (ratio && warmup && !is_off(*warmup->node)) sheet.not_needed(*ratio, "warmup_steps goes before it");
    else if (warmup && is_off(*warmup->node)) sheet.not_needed(*warmup, "off");
    Json default_eval_steps = 10;
    if (const auto steps = sheet.take("logging_steps")) {
        const Json value = json_of(*steps->node);
        if (value.is_number_integer()) {
            sheet.mapped(*steps, "train.logging_steps");
            default_eval_steps = value;
        } else {
            sheet.changed(*steps, "train.logging_steps", 1, "every step");
        }
    }
    chat(sheet);
    data(sheet);
    intervals(sheet, "eval_strategy", "eval_steps", "train.eval_steps", "no", default_eval_steps, "TRL's default, as logging_steps");
    if (const auto older = sheet.take("evaluation_strategy")) sheet.to_do(*older, "an older name of eval_strategy: set train.eval_steps");
    intervals(sheet, "save_strategy", "save_steps", "train.save_steps", "steps", 500, "TRL's default");
    sheet.defaulted("train.learning_rate", sheet.trains == TrainKind::dpo ? 1e-6 : 2e-5, "TRL's default");
    sheet.defaulted("train.lr_scheduler_type", "linear", "TRL's default");
    sheet.defaulted("train.save_total_limit", 0, "TRL keeps every checkpoint");
    sheet.defaulted("lora.r", 16, "TRL's default");
    sheet.defaulted("lora.lora_alpha", 32, "TRL's default");
    sheet.defaulted("lora.lora_dropout", 0.05, "TRL's default");
    sheet.defaulted("lora.target_modules", Json::array({"q_proj", "v_proj"}), "PEFT's default for Llama, Mistral, Qwen and Gemma models");
    sheet.defaulted("data.max_length", 1024, "TRL's default");
}

}  // namespace temper
