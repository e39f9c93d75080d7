#include <algorithm>

#include "train/import_sheet.h"

namespace temper {
namespace {

constexpr const char* chatml =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

void adapter(ImportSheet& sheet) {
    const auto kind = sheet.take("adapter");
    if (!kind) sheet.unsupported("adapter", "none is named, so every weight is trained; temper sft trains LoRA adapters alone");
    else if (kind->text() == "lora") sheet.not_needed(*kind, "always");
    else if (kind->text() == "qlora") sheet.not_needed(*kind, "always LoRA; load_in_4bit says whether the base is quantised");
    else sheet.unsupported(*kind, "the adapter is LoRA");
    const auto modules = sheet.take("lora_target_modules"), linear = sheet.take("lora_target_linear");
    if (linear && !is_off(*linear->node)) {
        sheet.mapped(*linear, "lora.target_modules", "all-linear");
        if (modules && !is_off(*modules->node)) sheet.not_needed(*modules, "lora_target_linear takes every linear layer");
        return;
    }
    if (linear) sheet.not_needed(*linear, "off");
    if (modules) sheet.mapped(*modules, "lora.target_modules");  // names, or a pattern of whole paths
}

void precision(ImportSheet& sheet) {
    const char* half = "bfloat16, which has float32's range, in place of float16";
    bool decided = false;
    for (const std::string name : {"bf16", "bfloat16", "fp16", "float16"}) {
        const auto taken = sheet.take(name);
        if (!taken) continue;
        if (is_off(*taken->node)) {
            sheet.not_needed(*taken, "off");
            continue;
        }
        decided = true;
        if (name[0] == 'b') sheet.mapped(*taken, "dtype", "bfloat16");
        else sheet.changed(*taken, "dtype", "bfloat16", half);
    }
    if (const auto taken = sheet.take("torch_dtype")) {
        const std::string text = taken->text();
        if (is_off(*taken->node)) sheet.not_needed(*taken, "off");
        else if (decided) sheet.not_needed(*taken, "bf16 and fp16 go before it");
        else if (text == "float32" || text == "fp32") sheet.mapped(*taken, "dtype", "float32");
        else if (text == "bfloat16" || text == "auto") sheet.mapped(*taken, "dtype", "bfloat16");
        else if (text == "float16") sheet.changed(*taken, "dtype", "bfloat16", half);
        else sheet.unsupported(*taken, "expected float32, bfloat16, float16 or auto");
    }
    sheet.defaulted("dtype", "float32", "neither bf16 nor fp16 is on");
}

std::optional<std::int64_t> count_of(ImportSheet& sheet, const std::string& key) {
    const auto taken = sheet.take(key);
    if (!taken) return std::nullopt;
    const Json value = json_of(*taken->node);
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > 1000000) {
        sheet.unsupported(*taken, "expected a whole number of at least 1");
        return std::nullopt;
    }
    sheet.changed(*taken, "a factor of train.global_batch_size");
    return value.get<std::int64_t>();
}

// A device lays its micro-batch into one sequence of micro_batch_size * sequence_len tokens.
void batch(ImportSheet& sheet) {
    const auto micro = count_of(sheet, "micro_batch_size"), accumulation = count_of(sheet, "gradient_accumulation_steps"),
               whole = count_of(sheet, "batch_size");
    sheet.batch.micro = micro.value_or(1);
    sheet.batch.accumulation = accumulation.value_or(whole ? std::max<std::int64_t>(1, *whole / sheet.batch.micro) : 1);
    const auto packing = sheet.take("sample_packing");
    sheet.batch.packed = packing && !is_off(*packing->node);
    sheet.batch.first_fit = true;
    sheet.batch.row_limit = 200;
    if (const auto limit = sheet.take("sample_packing_bin_size")) {
        sheet.not_needed(*limit, "of sample_packing");
        if (const Json value = json_of(*limit->node); value.is_number_integer()) sheet.batch.row_limit = value.get<std::int64_t>();
    }
    if (const auto group = sheet.take("sample_packing_group_size")) sheet.not_needed(*group, "of sample_packing");
    if (packing && !sheet.batch.packed) sheet.not_needed(*packing, "rows are always laid end to end without padding");
    if (packing && sheet.batch.packed)
        sheet.changed(*packing, "rows are always laid end to end; train.global_batch_size counts them as packing puts them together");
}

void schedule(ImportSheet& sheet) {
    if (const auto name = sheet.take("lr_scheduler")) {
        const auto floor = sheet.take("cosine_min_lr_ratio");
        if (floor && name->text() == "cosine") {
            sheet.mapped(*name, "train.lr_scheduler_type", "cosine_with_min_lr");
            sheet.mapped(*floor, "train.lr_scheduler_kwargs", Json{{"min_lr_rate", json_of(*floor->node)}});
        } else {
            sheet.mapped(*name, "train.lr_scheduler_type");
            if (floor) sheet.not_needed(*floor, "of the cosine schedule");
        }
    } else if (const auto floor = sheet.take("cosine_min_lr_ratio")) {
        sheet.mapped(*floor, "train.lr_scheduler_kwargs", Json{{"min_lr_rate", json_of(*floor->node)}});
        sheet.set("train.lr_scheduler_type", "cosine_with_min_lr");
    }
    const auto steps = sheet.take("warmup_steps"), ratio = sheet.take("warmup_ratio");
    if (steps) sheet.mapped(*steps, "train.warmup_steps");
    else if (ratio) sheet.mapped(*ratio, "train.warmup_steps");
    if (steps && ratio) sheet.not_needed(*ratio, "warmup_steps goes before it");
    if (!steps && !ratio) sheet.defaulted("train.warmup_steps", 0.03, "Axolotl warms up over 3% of the steps, at most 100");
}

// saves_per_epoch and the like go before everything; then "epoch" or "no" of save_strategy, then save_steps.
void intervals(ImportSheet& sheet, const std::string& what, const std::string& verb, const std::string& target) {
    const auto each = sheet.take(what + "s_per_epoch"), steps = sheet.take(verb + "_steps");
    auto strategy = sheet.take(verb + "_strategy");
    if (const auto older = verb == "eval" ? sheet.take("evaluation_strategy") : std::nullopt) {
        if (strategy) sheet.not_needed(*older, "an older name of eval_strategy");
        else strategy = older;
    }
    if (each && !is_off(*each->node)) {
        if (strategy) sheet.not_needed(*strategy, each->key + " goes before it");
        sheet.changed(*each, "counted in steps: see " + target);
        const Json times = json_of(*each->node);
        if (times.is_number()) sheet.shares.push_back({what + "s_per_epoch", "", target, times.get<double>(), 0.0});
        if (steps) sheet.not_needed(*steps, each->key + " goes before it");
        return;
    }
    const std::string kind = !strategy ? "steps" : is_off(*strategy->node) ? "no" : strategy->text();
    if (kind == "no" || kind == "epoch") {
        if (each) sheet.not_needed(*each, "off");
        if (steps) sheet.not_needed(*steps, "of another " + strategy->key);
        if (kind == "no") return sheet.mapped(*strategy, target, 0);
        sheet.changed(*strategy, "counted in steps: see " + target);
        sheet.shares.push_back({strategy->key, "", target, 1.0, 0.0});
        return;
    }
    if (strategy && kind == "best") sheet.changed(*strategy, "the best adapter is kept by train.load_best_model_at_end");
    else if (strategy) sheet.not_needed(*strategy, "see " + target);
    if (each) sheet.mapped(*each, target, 0);
    if (!steps) return;
    const Json value = json_of(*steps->node);
    if (value.is_number() && value.get<double>() > 0 && value.get<double>() < 1) {
        sheet.changed(*steps, "counted in steps: see " + target);
        sheet.shares.push_back({steps->key, "", target, 0.0, value.get<double>()});
    } else {
        sheet.mapped(*steps, target);
    }
}

void ask_when_to_evaluate(ImportSheet& sheet) {
    const Json* size = sheet.find("data.val_size");
    if (size == nullptr || !size->is_number() || size->get<double>() <= 0 || sheet.find("train.eval_steps") != nullptr) return;
    if (std::any_of(sheet.shares.begin(), sheet.shares.end(), [](const StepShare& share) { return share.target == "train.eval_steps"; })) return;
    sheet.to_do("train.eval_steps", "", "train.eval_steps",
                "rows are held out, but the file does not say when they are evaluated: give train.eval_steps=STEPS");
}

void chat(ImportSheet& sheet) {
    const auto source = sheet.take_text("chat_template_jinja");
    const auto name = sheet.take("chat_template");
    if (!name) {
        if (source) sheet.set("data.chat_template", *source);
        return;
    }
    const std::string text = name->text();
    if (text == "tokenizer_default") sheet.not_needed(*name, "the model's own template is taken");
    else if (text == "jinja" && source) sheet.mapped(*name, "data.chat_template", *source);
    else if (text == "chatml") sheet.mapped(*name, "data.chat_template", chatml);
    else if (text.find("{%") != std::string::npos) sheet.mapped(*name, "data.chat_template");
    else sheet.changed(*name, "the model's own template is taken: see that it is that of " + text + ", or give data.chat_template=FILE.jinja");
}

// A data set's own goes before the file's; here one holds for all.
void template_of_data(ImportSheet& sheet, const ImportSheet::Taken& part) {
    const std::string text = part.text();
    const Json wanted = text == "chatml" ? Json(chatml) : text.find("{%") != std::string::npos ? Json(text) : Json();
    const Json* const known = sheet.find("data.chat_template");
    if (text == "tokenizer_default" && known == nullptr) sheet.not_needed(part, "the model's own template is taken");
    else if (known != nullptr && *known != wanted) sheet.unsupported(part, "one template is taken for all data sets, data.chat_template");
    else if (!wanted.is_null()) sheet.mapped(part, "data.chat_template", wanted);
    else sheet.changed(part, "the model's own template is taken: see that it is that of " + text + ", or give data.chat_template=FILE.jinja");
}

struct Rows {
    std::string target;  // data.train or data.eval
    Json file = Json::object();
    bool assistant_only = false;
};

// What `type` makes of a row. Not all of Axolotl's prompt styles are known here.
void row_type(ImportSheet& sheet, const ImportSheet::Taken& type, Rows& rows) {
    const std::string name = type.node->text;
    if (type.node->kind == YamlNode::Kind::map) {
        sheet.unsupported(type, "a prompt of its own: write the rows as prompt + completion");
    } else if (sheet.trains == TrainKind::dpo) {
        if (!import_preference_rows(sheet, type, rows.file, rows.target))
            sheet.unsupported(type, fmt::format("rows of type {} are not known: write them as prompt + chosen + rejected", name));
    } else if (name == "alpaca") {
        rows.file["format"] = "alpaca";
        sheet.listed(type, rows.target);
    } else if (name == "completion" || name == "pretrain") {
        rows.file["format"] = "text";
        sheet.changed(type, "rows longer than sequence_len are not cut in pieces: data.on_overlong says what becomes of them");
    } else if (name == "chat_template" || name == "chat_template.default" || name == "sharegpt") {
        rows.assistant_only = true;
        if (name == "sharegpt") rows.file["format"] = "sharegpt";
        sheet.listed(type, rows.target);
    } else {
        sheet.unsupported(type, fmt::format("rows of type {} are not known: write them as messages, or as prompt + completion", name));
    }
}

void row_fields(ImportSheet& sheet, const ImportSheet::Taken& part, const std::string& name, Rows& rows) {
    const auto column = [&](const char* ours, const std::string& theirs) {
        if (theirs != ours) rows.file["columns"][ours] = theirs;
    };
    if (name == "field_messages") {
        if (part.node->text == "conversations") rows.file["format"] = "sharegpt";  // by its own name
        else column("messages", part.node->text);
    } else if (name == "message_field_role" || name == "message_field_content") {
        column(name == "message_field_role" ? "role" : "content", part.node->text);
    } else if (name == "message_property_mappings") {
        for (std::size_t i = 0; i < part.node->keys.size(); ++i) {
            const std::string& ours = part.node->keys[i].text;
            if (ours == "role" || ours == "content") column(ours.c_str(), part.node->values[i].text);
            else if (ours != part.node->values[i].text) return sheet.unsupported(part, "only role and content have other names here");
        }
    } else if (name == "field") {
        column("text", part.node->text);
    } else {
        column(name.c_str() + 6, part.node->text);  // field_instruction, field_input, field_output, field_system, field_tools
    }
    sheet.listed(part, rows.target);
}

// from/value and the speakers' names are known without being told.
void from_value(Rows& rows) {
    if (!rows.file.contains("columns")) return;
    Json& columns = rows.file["columns"];
    if (columns.value("role", "") == "from" && columns.value("content", "") == "value") {
        columns.erase("role");
        columns.erase("content");
    }
    if (columns.empty()) rows.file.erase("columns");
}

bool known_speakers(const YamlNode& roles) {
    static const std::vector<std::string> known = {"human", "user",   "gpt",  "chatgpt",  "assistant",  "model",
                                                   "bot",   "system", "tool", "function", "observation"};
    return std::all_of(roles.values.begin(), roles.values.end(), [](const YamlNode& names) {
        const auto is_known = [](const std::string& name) { return std::find(known.begin(), known.end(), name) != known.end(); };
        if (names.kind == YamlNode::Kind::scalar) return is_known(names.text);
        return std::all_of(names.values.begin(), names.values.end(), [&](const YamlNode& name) { return is_known(name.text); });
    });
}

bool is_field_name(const std::string& name) {
    static const std::vector<std::string> known = {"field",        "field_messages",     "field_instruction",     "field_input",
                                                   "field_output", "field_chosen",       "field_rejected",        "field_system",
                                                   "field_tools",  "message_field_role", "message_field_content", "message_property_mappings"};
    return std::find(known.begin(), known.end(), name) != known.end();
}

Rows data_set(ImportSheet& sheet, const ImportSheet::Taken& entry, const std::string& target) {
    Rows rows;
    rows.target = target;
    for (std::size_t i = 0; i < entry.node->keys.size(); ++i) {
        const std::string& name = entry.node->keys[i].text;
        const YamlNode& value = entry.node->values[i];
        const ImportSheet::Taken part = sheet.part(entry, name, value);
        if (value.kind == YamlNode::Kind::null) continue;
        if (name == "path") {
            const YamlNode* split = entry.node->find("split");
            rows.file["path"] = sheet.path_of(value.text, split == nullptr ? "" : split->text);
            sheet.listed(part, rows.target);
        } else if (name == "type") {
            row_type(sheet, part, rows);
        } else if (name == "split" && value.text == "train") {
            sheet.not_needed(part, "the file or directory is the split");
        } else if (name == "split" || name == "name" || name == "data_files" || name == "revision") {
            sheet.to_do(
                part, fmt::format("save this part of the data ({} {}) as the file or directory that data.train names", name, json_of(value).dump()));
        } else if (name == "chat_template") {
            template_of_data(sheet, part);
        } else if (name == "ds_type" || name == "trust_remote_code" || name == "field_thinking" || name == "template_thinking_key" ||
                   name == "conversation") {
            sheet.not_needed(part, "the file says it");
        } else if (name == "roles") {
            if (known_speakers(value)) sheet.not_needed(part, "these speakers are known");
            else sheet.unsupported(part, "only the usual speakers are known: human, user, gpt, assistant, system, tool");
        } else if (name == "roles_to_train" || name == "train_on_eos" || name == "train_on_eot") {
            const bool usual = name == "roles_to_train"
                                   ? value.values.size() == 1 && (value.values[0].text == "assistant" || value.values[0].text == "gpt")
                                   : value.text == "turn";
            if (usual) sheet.not_needed(part, "the assistant's turns are learned, with their end");
            else sheet.unsupported(part, "the assistant's turns are learned, with their end");
        } else if (is_field_name(name)) {
            row_fields(sheet, part, name, rows);
        } else if (is_off(value)) {
            sheet.not_needed(part, "off");
        } else {
            sheet.unsupported(part, "not known of a data set");
        }
    }
    from_value(rows);
    return rows;
}

void data(ImportSheet& sheet) {
    const auto inputs = sheet.is_taken("train_on_inputs") ? std::nullopt : sheet.take("train_on_inputs");
    const bool learn_all = inputs && !is_off(*inputs->node);
    if (inputs) sheet.mapped(*inputs, "data.completion_only_loss", !learn_all);
    bool assistant_only = false;
    for (const char* list : {"datasets", "test_datasets"}) {
        const auto taken = sheet.take(list);
        if (!taken) continue;
        Json files = Json::array();
        for (std::size_t i = 0; i < taken->node->values.size(); ++i) {
            const Rows rows = data_set(sheet, sheet.part(*taken, std::to_string(i), taken->node->values[i]),
                                       std::string(list) == "datasets" ? "data.train" : "data.eval");
            assistant_only = assistant_only || rows.assistant_only;
            if (rows.file.contains("path")) files.push_back(rows.file);
        }
        if (std::string(list) == "datasets") import_data_files(sheet, "", files);
        else sheet.set("data.eval", files);
    }
    if (assistant_only && !learn_all)
        sheet.defaulted("data.assistant_only_loss", true, "the assistant's turns are learned; the chat template needs {% generation %} blocks");
    if (const auto order = sheet.take("curriculum_sampling")) sheet.mapped(*order, "data.shuffle", is_off(*order->node));
    if (const auto overlong = sheet.take("excess_length_strategy"))
        sheet.mapped(*overlong, "data.on_overlong", overlong->text() == "raise" ? "fail" : overlong->text());
    sheet.defaulted("data.on_overlong", "drop", "Axolotl's default");
    if (const auto shortest = sheet.take("min_sample_len")) {
        if (const Json value = json_of(*shortest->node); value.is_number() && value.get<double>() <= 2)
            sheet.not_needed(*shortest, "such rows teach nothing");
        else sheet.unsupported(*shortest, "short rows are kept");
    }
    if (const auto tokens = sheet.take("special_tokens"))
        for (std::size_t i = 0; i < tokens->node->keys.size(); ++i)
            if (tokens->node->values[i].kind == YamlNode::Kind::scalar)
                import_special_token(sheet, sheet.part(*tokens, tokens->node->keys[i].text, tokens->node->values[i]), tokens->node->keys[i].text);
}

void plugins(ImportSheet& sheet) {
    const auto taken = sheet.take("plugins");
    if (!taken) return;
    for (const YamlNode& name : taken->node->values) {
        const bool kernels = name.text.find("liger") != std::string::npos || name.text.find("cut_cross_entropy") != std::string::npos ||
                             name.text.find("kernels") != std::string::npos || name.text.find("spectrum") != std::string::npos;
        if (kernels && name.text.find("spectrum") == std::string::npos) sheet.not_needed({"plugins", &name}, "speed alone: " + name.text);
        else sheet.unsupported({"plugins", &name}, name.text + " is not known here");
    }
}

}  // namespace

const char* import_chatml() { return chatml; }

void import_axolotl(ImportSheet& sheet) {
    import_model(sheet, "base_model");
    for (const char* name : {"base_model_config", "tokenizer_config", "revision_of_model"})
        if (const auto taken = sheet.take(name))
            sheet.to_do(*taken, "the directory of model holds its config and tokenizer: see that they are these");
    import_run_name(sheet, "wandb_name");
    adapter(sheet);
    if (sheet.trains == TrainKind::dpo) import_axolotl_preferences(sheet);
    const auto settings = sheet.take("bnb_config_kwargs");
    if (settings && !is_off(*settings->node)) sheet.unsupported(*settings, "give load_in_4bit and bnb_4bit_use_double_quant, and leave this out");
    else if (settings) sheet.not_needed(*settings, "off");
    import_quantization(sheet, "bnb_4bit_use_double_quant");
    if (sheet.find("load_in_4bit") != nullptr) sheet.defaulted("bnb_4bit_use_double_quant", true, "Axolotl's default");
    apply_rules(sheet, transformers_rules());
    apply_rules(sheet, axolotl_rules());
    import_optimizer(sheet, "optimizer");
    precision(sheet);
    batch(sheet);
    schedule(sheet);
    chat(sheet);
    data(sheet);
    plugins(sheet);
    intervals(sheet, "save", "save", "train.save_steps");
    intervals(sheet, "eval", "eval", "train.eval_steps");
    ask_when_to_evaluate(sheet);
    sheet.defaulted("data.max_length", 512, "Axolotl's default");
    sheet.defaulted("train.num_train_epochs", 1, "Axolotl's default");
    sheet.defaulted("train.save_total_limit", 4, "Axolotl's default");
}

}  // namespace temper
