// Preference tuning of TRL (DPOConfig, KTOConfig, CPOConfig, ORPOConfig) and of Axolotl (rl: ...).
#include <algorithm>
#include <array>

#include "train/import_sheet.h"

namespace temper {
namespace {

using Action = ImportRule::Action;

const char* prompts_stay = "a prompt is never cut: rows longer than data.max_length lose the end of their answers";
const char* reference = "the reference is the base, or the adapter of lora.init_adapter";

const std::vector<ImportRule>& trl_preference_rules() {
    static const std::vector<ImportRule> list = {
        {"beta", Action::copy, "dpo.beta"},
        {"loss_weights", Action::copy, "dpo.loss_weights"},
        {"label_smoothing", Action::copy, "dpo.label_smoothing"},
        {"f_divergence_type", Action::copy, "dpo.f_divergence_type"},
        {"f_alpha_divergence_coef", Action::copy, "dpo.f_alpha_divergence_coef"},
        {"discopop_tau", Action::copy, "dpo.discopop_tau"},
        {"simpo_gamma", Action::copy, "dpo.simpo_gamma"},
        {"cpo_alpha", Action::copy, "dpo.cpo_alpha"},
        {"desirable_weight", Action::copy, "dpo.desirable_weight"},
        {"undesirable_weight", Action::copy, "dpo.undesirable_weight"},
        {"precompute_ref_log_probs", Action::copy, "dpo.precompute_ref_log_probs"},
        {"precompute_ref_batch_size", Action::pass, "memory alone; the plan decides here"},
        {"activation_offloading", Action::pass, "memory alone; the plan decides here"},
        {"use_logits_to_keep", Action::pass, "speed alone"},
        {"generate_during_eval", Action::pass, "metrics.jsonl, run.json and report.html are always written"},
        {"padding_value", Action::pass, "rows are always laid end to end without padding"},
        {"label_pad_token_id", Action::pass, "rows are always laid end to end without padding"},
        {"force_use_ref_model", Action::pass, reference},
        {"ref_model_init_kwargs", Action::only_off, reference},
        {"ref_model_name_or_path", Action::only_off, reference},
        {"model_adapter_name", Action::only_off, reference},
        {"ref_adapter_name", Action::only_off, reference},
        {"reference_free", Action::only_off, reference},
        {"sync_ref_model", Action::only_off, "the reference is frozen"},
        {"ref_model_mixup_alpha", Action::pass, "of sync_ref_model"},
        {"ref_model_sync_steps", Action::pass, "of sync_ref_model"},
        {"ld_alpha", Action::only_off, "LD-DPO is not to be had"},
        {"use_weighting", Action::only_off, "WPO is not to be had"},
        {"rpo_alpha", Action::only_off, "write it as loss_type sigmoid and sft with loss_weights, as TRL 1 does"},
        {"alpha", Action::only_off, "AlphaPO is not to be had"},
        {"is_encoder_decoder", Action::only_off, "models are decoders"},
    };
    return list;
}

const std::vector<ImportRule>& axolotl_preference_rules() {
    static const std::vector<ImportRule> list = {
        {"rl_beta", Action::copy, "dpo.beta"},
        {"orpo_alpha", Action::copy, "dpo.beta"},
        {"simpo_gamma", Action::copy, "dpo.simpo_gamma"},
        {"cpo_alpha", Action::copy, "dpo.cpo_alpha"},
        {"kto_desirable_weight", Action::copy, "dpo.desirable_weight"},
        {"kto_undesirable_weight", Action::copy, "dpo.undesirable_weight"},
        {"dpo_loss_weights", Action::copy, "dpo.loss_weights"},
        {"precompute_ref_log_probs", Action::copy, "dpo.precompute_ref_log_probs"},
        {"dpo_use_weighting", Action::only_off, "WPO is not to be had"},
        {"rpo_alpha", Action::only_off, "write it as dpo.loss_type sigmoid and sft with dpo.loss_weights"},
        {"dpo_padding_free", Action::pass, "rows are always laid end to end without padding"},
        {"dpo_use_logits_to_keep", Action::pass, "speed alone"},
        {"dpo_use_liger_kernel", Action::pass, "speed alone"},
        {"dpo_generate_during_eval", Action::pass, "metrics.jsonl, run.json and report.html are always written"},
        {"rl_adapter_ref_model", Action::pass, reference},
        {"remove_unused_columns", Action::pass, "other columns are left alone"},
        {"train_on_inputs", Action::pass, "of supervised rows"},
    };
    return list;
}

// Older trainers cut prompts and answers apart.
void single_lengths(ImportSheet& sheet) {
    for (const char* name : {"max_prompt_length", "max_completion_length", "max_target_length", "max_prompt_len"})
        if (const auto taken = sheet.take(name)) sheet.changed(*taken, prompts_stay);
}

// DPOTrainer and its kin switch every dropout off, LoRA's too, unless they are told not to.
void dropout(ImportSheet& sheet) {
    static const char* reason = "TRL's preference trainers switch every dropout off (disable_dropout)";
    const auto disable = sheet.take("disable_dropout");
    const auto given = sheet.take("lora_dropout");
    const bool wanted = disable && is_off(*disable->node) && given && !is_off(*given->node);
    if (wanted) sheet.unsupported(*disable, "dropout is always off in preference tuning");
    else if (disable) sheet.not_needed(*disable, "dropout is always off in preference tuning");
    if (given) sheet.changed(*given, "lora.lora_dropout", 0, reason);
    sheet.defaulted("lora.lora_dropout", 0, reason);
}

void keep_every_row(ImportSheet& sheet) {
    sheet.defaulted("data.on_identical", "keep", "TRL keeps pairs whose answers are the same; drop leaves them out");
    sheet.defaulted("data.on_empty", "keep", "TRL keeps empty answers; drop leaves them out");
}

// CPOTrainer calls its own loss sigmoid.
void trl_losses(ImportSheet& sheet) {
    const bool cpo = sheet.find("dpo.simpo_gamma") != nullptr || sheet.find("dpo.cpo_alpha") != nullptr;
    const bool kto = sheet.find("dpo.desirable_weight") != nullptr || sheet.find("dpo.undesirable_weight") != nullptr;
    const auto taken = sheet.take("loss_type");
    if (!taken) {
        if (cpo) return sheet.defaulted("dpo.loss_type", "cpo", "CPOTrainer's default");
        if (kto) return sheet.defaulted("dpo.loss_type", "kto", "KTOTrainer's default");
        return sheet.defaulted("dpo.loss_type", "sigmoid",
                               "DPOTrainer's default; for ORPOTrainer, CPOTrainer or KTOTrainer give dpo.loss_type=orpo, cpo or kto");
    }
    if (!cpo || taken->node->kind != YamlNode::Kind::scalar || taken->text() == "simpo") sheet.mapped(*taken, "dpo.loss_type");
    else if (taken->text() == "sigmoid") sheet.changed(*taken, "dpo.loss_type", "cpo", "CPOTrainer's sigmoid");
    else sheet.unsupported(*taken, "CPOTrainer's " + taken->text() + " is not to be had; sigmoid and simpo are");
    if (sheet.find("dpo.loss_type") != nullptr && *sheet.find("dpo.loss_type") == "simpo")
        sheet.defaulted("dpo.cpo_alpha", 1.0, "CPOTrainer's default; 0 is SimPO alone");
}

void axolotl_losses(ImportSheet& sheet) {
    const auto rl = sheet.take("rl");
    const std::string kind = rl ? rl->text() : "dpo";
    const auto norm = sheet.take("dpo_norm_loss"), smoothing = sheet.take("dpo_label_smoothing"), own = sheet.take("dpo_loss_type");
    std::string loss = kind == "dpo" ? "sigmoid" : kind;
    if (norm && !is_off(*norm->node) && kind == "dpo") {
        loss = "sigmoid_norm";
        sheet.changed(*norm, "dpo.loss_type", loss, "log-probabilities of a token on average");
    } else if (norm) {
        sheet.not_needed(*norm, is_off(*norm->node) ? "off" : "of rl: dpo");
    }
    if (own && kind == "dpo") sheet.mapped(*own, "dpo.loss_type");
    else if (own) sheet.not_needed(*own, "of rl: dpo");
    if (rl && own && kind == "dpo") sheet.not_needed(*rl, "dpo.loss_type says it");
    else if (rl) sheet.mapped(*rl, "dpo.loss_type", loss);
    if (smoothing && kind == "dpo") sheet.mapped(*smoothing, "dpo.label_smoothing");
    else if (smoothing) sheet.not_needed(*smoothing, "of rl: dpo");
    if (kind == "simpo") sheet.defaulted("dpo.cpo_alpha", 1.0, "CPOTrainer's default; 0 is SimPO alone");
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const char* one) { return name == one; });
}

bool names_preference_loss(const YamlNode& node) {
    const auto is = [](const YamlNode& one) {
        return is_one_of(one.text, {"sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
                                    "apo_zero", "apo_down", "apo_zero_unpaired", "discopop", "sigmoid_norm", "simpo", "kto", "kto_pair"});
    };
    if (node.kind == YamlNode::Kind::scalar) return is(node);
    return std::any_of(node.values.begin(), node.values.end(), is);
}

// The text column that holds the user's turn, by the second half of the type; nothing where the answers are whole conversations.
std::optional<std::string> prompt_column(const std::string& style) {
    static const std::array<std::pair<const char*, const char*>, 4> columns = {
        {{"intel", "question"}, {"icr", "input"}, {"prompt_pairs", "prompt"}, {"argilla", "instruction"}}};
    for (const auto& [name, column] : columns)
        if (style == name) return column;
    return std::nullopt;
}

}  // namespace

TrainKind import_kind(const YamlNode& map, bool axolotl, const std::string& wanted) {
    if (wanted != "auto") return wanted == "dpo" ? TrainKind::dpo : TrainKind::sft;
    if (axolotl) {
        const YamlNode* rl = map.find("rl");
        return rl != nullptr && is_one_of(rl->text, {"dpo", "ipo", "orpo", "simpo", "kto"}) ? TrainKind::dpo : TrainKind::sft;
    }
    for (const char* name :
         {"beta", "precompute_ref_log_probs", "loss_weights", "label_smoothing", "f_divergence_type", "discopop_tau", "simpo_gamma", "cpo_alpha",
          "desirable_weight", "undesirable_weight", "max_prompt_length", "sync_ref_model", "disable_dropout"})
        if (map.find(name) != nullptr) return TrainKind::dpo;
    const YamlNode* loss = map.find("loss_type");
    return loss != nullptr && names_preference_loss(*loss) ? TrainKind::dpo : TrainKind::sft;
}

void import_trl_preferences(ImportSheet& sheet) {
    apply_rules(sheet, trl_preference_rules());
    single_lengths(sheet);
    trl_losses(sheet);
    dropout(sheet);
    keep_every_row(sheet);
}

void import_axolotl_preferences(ImportSheet& sheet) {
    apply_rules(sheet, axolotl_preference_rules());
    single_lengths(sheet);
    axolotl_losses(sheet);
    dropout(sheet);
    keep_every_row(sheet);
}

bool import_preference_rows(ImportSheet& sheet, const ImportSheet::Taken& type, Json& file, const std::string& target) {
    const std::string name = type.node->text;
    const std::size_t point = name.find('.');
    const std::string template_name = name.substr(0, point), style = point == std::string::npos ? "default" : name.substr(point + 1);
    if (template_name == "passthrough") {
        sheet.listed(type, target);
        return true;
    }
    if (template_name == "chat_template" && style == "default") {
        if (!file.contains("format")) file["format"] = "messages";
        sheet.listed(type, target);
        return true;
    }
    if (!is_one_of(template_name, {"chat_template", "chatml", "llama3"})) return false;
    const bool whole_conversations = is_one_of(style, {"argilla_chat", "ultra"}) || (template_name == "chat_template" && style == "argilla");
    const auto column = prompt_column(style);
    if (!whole_conversations && !column) return false;
    if (!whole_conversations) {
        file["format"] = "messages";
        file["columns"]["messages"] = *column;
    }
    if (template_name == "chatml") sheet.defaulted("data.chat_template", import_chatml(), "rows of type " + name);
    sheet.changed(type,
                  "rows become conversations, and the chat template writes them: see its end of turn with temper tokenize --show --preferences");
    return true;
}

}  // namespace temper
