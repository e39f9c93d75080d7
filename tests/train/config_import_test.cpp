// Configurations as TRL's and Axolotl's examples and the alignment handbook's recipes write them.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "io/yaml.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/train/config_import_fixture.h"
#include "train/config.h"

namespace temper {
namespace {

// What every one of Axolotl's LoRA examples begins with.
const std::string axolotl =
    "base_model: NousResearch/Llama-3.2-1B\nadapter: lora\nlora_r: 16\nlora_alpha: 32\nlora_target_linear: true\nwandb_project:\nwandb_entity:\n"
    "bf16: auto\ntf32: false\ngradient_checkpointing: true\nresume_from_checkpoint:\nlogging_steps: 1\nattn_implementation: flash_attention_2\n"
    "learning_rate: 0.0002\nlr_scheduler: cosine\nwarmup_ratio: 0.1\noutput_dir: ./outputs/lora-out\nspecial_tokens:\n";
const std::string trl =
    "model_name_or_path: Qwen/Qwen2-0.5B\ndataset_name: trl-lib/Capybara\nuse_peft: true\nlora_dropout: 0.0\nreport_to: none\nbf16: true\n"
    "gradient_checkpointing: true\n";

struct Shape {
    const char* name;
    std::string yaml;
    Json expected;                         // full paths of ours
    std::vector<std::string> unsupported;  // keys
};

std::vector<Shape> shapes() {
    return {
        {"axolotl alpaca",
         axolotl +
             "datasets:\n  - path: teknium/GPT4-LLM-Cleaned\n    type: alpaca\nval_set_size: 0.1\nsequence_len: 2048\nsample_packing: false\n"
             "gradient_accumulation_steps: 2\nmicro_batch_size: 2\nnum_epochs: 3\noptimizer: adamw_torch_fused\nweight_decay: 0.01\nsave_steps: 50\n"
             "eval_steps: 20\n",
         {{"model", "NousResearch/Llama-3.2-1B"},
          {"dtype", "bfloat16"},
          {"data.train", Json::parse(R"([{"path": "teknium/GPT4-LLM-Cleaned", "format": "alpaca"}])")},
          {"data.val_size", 0.1},
          {"data.max_length", 2048},
          {"data.on_overlong", "drop"},
          {"train.global_batch_size", 4},
          {"train.num_train_epochs", 3},
          {"train.warmup_steps", 0.1},
          {"train.weight_decay", 0.01},
          {"train.eval_steps", 20},
          {"train.save_steps", 50},
          {"lora.target_modules", "all-linear"}},
         {}},
        {"axolotl qlora over fsdp",
         axolotl +
             "load_in_8bit: false\nload_in_4bit: true\nadapter_is_ignored_by_nobody: true\ndatasets:\n  - {path: tatsu-lab/alpaca, type: alpaca}\n"
             "fsdp: [full_shard, auto_wrap]\nfsdp_config: {fsdp_offload_params: true}\nmicro_batch_size: 1\n",
         {},
         {"adapter_is_ignored_by_nobody"}},
        {"axolotl qlora adapter",
         "base_model: m\nadapter: qlora\nload_in_4bit: true\ndatasets: [{path: d, type: alpaca}]\nbf16: true\n",
         {{"load_in_4bit", true}, {"bnb_4bit_use_double_quant", true}},
         {}},
        {"axolotl with settings of bitsandbytes",
         "base_model: m\nadapter: qlora\nload_in_4bit: true\nbnb_config_kwargs: {bnb_4bit_quant_type: fp4}\ndatasets: [{path: d, type: alpaca}]\n"
         "bf16: true\n",
         {},
         {"bnb_config_kwargs"}},
        {"trl qlora with fp4",
         "model_name_or_path: m\ndataset_name: d\nuse_peft: true\nload_in_4bit: true\nbnb_4bit_quant_type: fp4\n",
         {},
         {"bnb_4bit_quant_type"}},
        {"axolotl full fine-tuning",
         "base_model: m\nadapter:\ndatasets: [{path: d, type: alpaca}]\nbf16: true\nmicro_batch_size: 1\n",
         {},
         {"adapter"}},
        {"axolotl messages through the chat template",
         axolotl + "chat_template: tokenizer_default\ndatasets:\n  - path: fozziethebeat/alpaca_messages_2k_test\n    type: chat_template\n"
                   "    field_messages: messages\n    message_property_mappings: {role: role, content: content}\n    roles_to_train: [assistant]\n"
                   "    train_on_eos: turn\n",
         {{"data.train", Json::parse(R"([{"path": "fozziethebeat/alpaca_messages_2k_test"}])")}, {"data.assistant_only_loss", true}},
         {}},
        {"axolotl conversations of from and value",
         axolotl + "chat_template: chatml\ndatasets:\n  - path: mlabonne/FineTome-100k\n    type: chat_template\n    split: train[:20%]\n"
                   "    field_messages: conversations\n    message_property_mappings: {role: from, content: value}\n"
                   "    roles: {user: [human, user], assistant: [gpt, assistant]}\n",
         {{"data.train", Json::parse(R"([{"path": "mlabonne/FineTome-100k/train[:20%]", "format": "sharegpt"}])")},
          {"data.assistant_only_loss", true}},
         {}},
        {"axolotl sharegpt, learning the prompts too",
         axolotl + "datasets: [{path: d, type: sharegpt}]\ntrain_on_inputs: true\n",
         {{"data.completion_only_loss", false}, {"data.train", Json::parse(R"([{"path": "d", "format": "sharegpt"}])")}},
         {}},
        {"axolotl completion",
         axolotl + "datasets:\n  - {path: mhenrichsen/books, type: completion, field: body}\n",
         {{"data.train", Json::parse(R"([{"path": "mhenrichsen/books", "format": "text", "columns": {"text": "body"}}])")}},
         {}},
        {"axolotl several data sets, one of another style",
         axolotl + "datasets:\n  - {path: a, type: alpaca}\n  - {path: b, type: jeopardy}\n  - {path: c, type: {format: '{instruction}'}}\n",
         {},
         {"datasets.1.type", "datasets.2.type"}},
        {"axolotl 8-bit Adam, kernels, deepspeed",
         axolotl +
             "datasets: [{path: d, type: alpaca}]\noptimizer: adamw_bnb_8bit\ndeepspeed: deepspeed_configs/zero2.json\n"
             "plugins: [axolotl.integrations.liger.LigerPlugin, axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin]\nliger_rope: true\n"
             "lora_mlp_kernel: true\nloss_watchdog_threshold: 5.0\ndataset_prepared_path: last_run_prepared\n",
         {{"data.max_length", 512}, {"train.num_train_epochs", 1}, {"train.global_batch_size", 1}},
         {}},
        {"axolotl other optimizers and losses",
         axolotl + "datasets: [{path: d, type: alpaca}]\noptimizer: muon\nneftune_noise_alpha: 5\nlora_modules_to_save: [embed_tokens, lm_head]\n"
                   "loraplus_lr_ratio: 16\nrl: grpo\ngroup_by_length: true\nlora_dropout: 0\n",
         {{"train.loraplus_lr_ratio", 16}, {"lora.modules_to_save", {"embed_tokens", "lm_head"}}},
         {"optimizer", "neftune_noise_alpha", "rl", "group_by_length"}},
        {"axolotl schedules",
         axolotl +
             "datasets: [{path: d, type: alpaca}]\ncosine_min_lr_ratio: 0.1\nmax_steps: 100\nwarmup_steps: 10\nadam_beta2: 0.95\nadam_epsilon: 1e-5\n"
             "max_grad_norm: 0.5\nexcess_length_strategy: raise\n",
         {{"train.lr_scheduler_type", "cosine_with_min_lr"},
          {"train.lr_scheduler_kwargs", {{"min_lr_rate", 0.1}}},
          {"train.max_steps", 100},
          {"train.warmup_steps", 10},
          {"train.adam_beta2", 0.95},
          {"train.max_grad_norm", 0.5},
          {"data.on_overlong", "fail"}},
         {}},
        {"axolotl schedule that is not known",
         "base_model: m\nadapter: lora\nbf16: true\nlr_scheduler: rex\ndatasets: [{path: d, type: alpaca}]\n",
         {},
         {"lr_scheduler"}},
        {"axolotl test data sets, modules by name",
         "base_model: m\nadapter: lora\nbf16: true\nlora_r: 8\nlora_alpha: 16\nlora_target_modules: [q_proj, v_proj]\ndatasets: [{path: a, type: "
         "alpaca}]\n"
         "test_datasets: [{path: b, type: alpaca, split: test}]\neval_steps: 5\n",
         {{"lora.target_modules", {"q_proj", "v_proj"}},
          {"data.eval", Json::parse(R"([{"path": "b/test", "format": "alpaca"}])")},
          {"train.eval_steps", 5}},
         {}},
        {"axolotl modules by a pattern",
         "base_model: m\nadapter: lora\nbf16: true\nlora_target_modules: 'model.layers.[\\d]+.(mlp|self_attn).(up|down)_proj'\n"
         "datasets: [{path: a, type: alpaca}]\n",
         {{"lora.target_modules", "model.layers.[\\d]+.(mlp|self_attn).(up|down)_proj"}},
         {}},
        {"trl with its defaults",
         trl,
         {{"model", "Qwen/Qwen2-0.5B"},
          {"data.train", Json::parse(R"([{"path": "trl-lib/Capybara"}])")},
          {"train.global_batch_size", 8},
          {"train.learning_rate", 2e-5},
          {"train.lr_scheduler_type", "linear"},
          {"train.save_steps", 500},
          {"train.save_total_limit", 0},
          {"lora.r", 16},
          {"lora.target_modules", {"q_proj", "v_proj"}},
          {"dtype", "bfloat16"}},
         {}},
        {"trl dropout is as the settings have it",
         "model_name_or_path: m\ndataset_name: d\nuse_peft: true\nlora_dropout: 1.5\n",
         {},
         {"lora_dropout"}},
        {"trl with everything said",
         trl +
             "learning_rate: 2.0e-4\nnum_train_epochs: 1\nper_device_train_batch_size: 2\ngradient_accumulation_steps: 8\nlearning_rate_is_no_key: "
             "0\n"
             "max_length: 2048\nassistant_only_loss: true\nlr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr_rate: 0.1}\n"
             "warmup_ratio: 0.03\nlora_r: 32\nlora_alpha: 16\nlora_target_modules: all-linear\nchat_template_path: chat.jinja\neval_strategy: 'no'\n"
             "save_strategy: 'no'\nlogging_steps: 5\nseed: 7\nrun_name: my run\npush_to_hub: true\nhub_model_id: x\ndataset_num_proc: 8\n",
         {{"train.learning_rate", 2e-4},
          {"train.global_batch_size", 16},
          {"data.max_length", 2048},
          {"data.assistant_only_loss", true},
          {"data.chat_template", "chat.jinja"},
          {"train.lr_scheduler_kwargs", {{"min_lr_rate", 0.1}}},
          {"train.warmup_steps", 0.03},
          {"lora.target_modules", "all-linear"},
          {"train.eval_steps", 0},
          {"train.save_steps", 0},
          {"train.seed", 7},
          {"run_name", "my-run"}},
         {}},
        {"handbook qlora recipe",
         "model_name_or_path: mistralai/Mistral-7B-v0.1\nmodel_revision: main\ntorch_dtype: bfloat16\nattn_implementation: flash_attention_2\n"
         "load_in_4bit: true\nuse_peft: true\nlora_r: 16\nlora_alpha: 16\nlora_dropout: 0\nlora_target_modules: [q_proj, k_proj]\n"
         "chat_template: \"{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}\"\ndataset_mixture:\n  datasets:\n"
         "    - {id: HuggingFaceH4/ultrachat_200k, config: default, split: train_sft, columns: [messages], weight: 1.0}\n"
         "    - {id: HuggingFaceH4/ultrachat_200k, config: default, split: test_sft, columns: [messages], weight: 0.5}\n  test_split_size: 1000\n  "
         "seed: 0\n"
         "bf16: true\ndo_eval: true\neval_strategy: epoch\ngradient_accumulation_steps: 2\nper_device_train_batch_size: 4\nlog_level: info\n"
         "logging_strategy: steps\nmax_seq_length: 2048\nmax_steps: -1\noverwrite_output_dir: true\nhub_strategy: every_save\nreport_to: "
         "[tensorboard]\n"
         "save_strategy: steps\nsave_steps: 100\nsave_total_limit: 1\n",
         {{"data.val_size", 1000},
          {"data.train", Json::parse(R"([{"path": "HuggingFaceH4/ultrachat_200k/train_sft", "weight": 1.0},
                                          {"path": "HuggingFaceH4/ultrachat_200k/test_sft", "weight": 0.5}])")},
          {"train.global_batch_size", 8},
          {"train.save_total_limit", 1},
          {"load_in_4bit", true}},
         {}},
        {"handbook full recipe",
         "model_name_or_path: m\ndataset_name: d\nbf16: true\ntorch_dtype: bfloat16\nmax_length: 64\nlora_dropout: 0\n",
         {},
         {"use_peft"}},
        {"trl of other losses",
         trl + "packing: true\npacking_strategy: wrapped\nloss_type: dft\ntruncation_mode: keep_end\noptim: lion_32bit\nlabel_smoothing_factor: 0.1\n"
               "use_dora: true\n",
         {{"lora.use_dora", true}},
         {"packing_strategy", "loss_type", "truncation_mode", "optim", "label_smoothing_factor", "train.global_batch_size"}},
        {"axolotl dpo",
         axolotl + "rl: dpo\nrl_beta: 0.2\nlora_dropout: 0.05\nprecompute_ref_log_probs: true\nremove_unused_columns: false\ndatasets:\n  - {path: "
                   "Intel/orca_dpo_pairs, "
                   "split: train, type: chatml.intel}\n  - {path: b, type: chat_template.default, field_messages: conversation, field_chosen: good, "
                   "field_rejected: bad, message_property_mappings: {role: role, content: text}}\n  - {path: c, type: chat_template.argilla_chat}\n",
         {{"dpo.loss_type", "sigmoid"},
          {"dpo.beta", 0.2},
          {"dpo.precompute_ref_log_probs", true},
          {"lora.lora_dropout", 0},
          {"data.on_identical", "keep"},
          {"data.train", Json::parse(R"([{"path": "Intel/orca_dpo_pairs", "format": "messages", "columns": {"messages": "question"}},
             {"path": "b", "format": "messages", "columns": {"messages": "conversation", "chosen": "good", "rejected": "bad", "content": "text"}},
             {"path": "c"}])")}},
         {}},
        {"axolotl ipo, smoothing is not read",
         axolotl + "rl: ipo\ndpo_label_smoothing: 0.1\ndatasets: [{path: a, type: passthrough}]\n",
         {{"dpo.loss_type", "ipo"}},
         {}},
        {"axolotl orpo",
         axolotl + "rl: orpo\norpo_alpha: 0.1\nchat_template: chatml\ndatasets: [{path: a, type: chat_template.argilla}]\n",
         {{"dpo.loss_type", "orpo"}, {"dpo.beta", 0.1}, {"data.train", Json::parse(R"([{"path": "a"}])")}},
         {}},
        {"axolotl simpo",
         axolotl + "rl: simpo\nrl_beta: 0.1\nsimpo_gamma: 0.7\ndatasets: [{path: a, type: llama3.icr}]\n",
         {{"dpo.loss_type", "simpo"}, {"dpo.simpo_gamma", 0.7}, {"dpo.cpo_alpha", 1.0}},
         {}},
        {"axolotl kto",
         axolotl + "rl: kto\nrl_beta: 0.5\nkto_desirable_weight: 0.2\nmicro_batch_size: 2\ndatasets: [{path: a, type: llama3.ultra}, {path: b, type: "
                   "chatml.argilla}]\n",
         {{"dpo.loss_type", "kto"}, {"dpo.desirable_weight", 0.2}, {"dpo.beta", 0.5}},
         {}},
        {"axolotl of what is not to be had",
         axolotl + "rl: dpo\ndpo_use_weighting: true\nrpo_alpha: 1.0\ndpo_norm_loss: true\ndatasets: [{path: a, type: zephyr.nectar}]\n",
         {{"dpo.loss_type", "sigmoid_norm"}},
         {"dpo_use_weighting", "rpo_alpha", "datasets.0.type"}},
        {"axolotl grpo", axolotl + "rl: grpo\ndatasets: [{path: a, type: alpaca}]\n", {}, {"rl"}},
        {"trl dpo",
         trl + "beta: 0.05\nloss_type: [sigmoid, sft]\nloss_weights: [1.0, 0.5]\nmax_length: 512\nmax_prompt_length: 256\nprecompute_ref_log_probs: "
               "true\n"
               "precompute_ref_batch_size: 8\nsync_ref_model: false\n",
         {{"dpo.beta", 0.05},
          {"dpo.loss_type", {"sigmoid", "sft"}},
          {"dpo.loss_weights", {1.0, 0.5}},
          {"data.max_length", 512},
          {"train.learning_rate", 1e-6},
          {"lora.lora_dropout", 0},
          {"data.on_empty", "keep"}},
         {}},
        {"trl dpo of what is not to be had",
         trl + "loss_type: sigmoid\nlabel_smoothing: 0.1\nsync_ref_model: true\nld_alpha: 0.5\nref_model_mixup_alpha: 0.6\n",
         {{"dpo.loss_type", "sigmoid"}},
         {"label_smoothing", "sync_ref_model", "ld_alpha"}},
        {"trl cpo is called sigmoid", trl + "loss_type: sigmoid\ncpo_alpha: 0.5\n", {{"dpo.loss_type", "cpo"}, {"dpo.cpo_alpha", 0.5}}, {}},
        {"trl kto by its weights, with dropout",
         trl + "desirable_weight: 1.5\ndisable_dropout: false\n",
         {{"dpo.loss_type", "kto"}, {"dpo.desirable_weight", 1.5}, {"lora.lora_dropout", 0.0}},
         {}},
        {"trl text column, mixture of files",
         "model_name_or_path: m\nuse_peft: true\nlora_dropout: 0\ndatasets:\n  - {path: a.jsonl, split: train, columns: [body]}\n  - {path: b.jsonl, "
         "fraction: 0.5}\n"
         "dataset_text_field: body\ntest_split_size: 0.05\neval_strategy: steps\neval_steps: 10\n",
         {{"data.train",
           Json::parse(R"([{"path": "a.jsonl", "columns": {"text": "body"}}, {"path": "b.jsonl", "weight": 0.5, "columns": {"text": "body"}}])")},
          {"data.val_size", 0.05},
          {"train.eval_steps", 10}},
         {}},
    };
}

TEST(ConfigImport, EveryShapeIsMappedOrNamed) {
    for (const Shape& shape : shapes()) {
        SCOPED_TRACE(shape.name);
        const ImportResult result = import(shape.yaml);
        auto unsupported = keys_of(result, ImportItem::Kind::unsupported), expected = shape.unsupported;
        std::sort(unsupported.begin(), unsupported.end());
        std::sort(expected.begin(), expected.end());
        EXPECT_EQ(unsupported, expected);
        for (const auto& [path, value] : shape.expected.items()) {
            const Json* found = at(result.config, path);
            ASSERT_NE(found, nullptr) << path;
            EXPECT_EQ(*found, value) << path;
        }
        if (!result.complete()) continue;
        const Config config = parse_config(result.yaml, "ours", {}, result.kind);
        if (const Json* text = at(result.config, "data.chat_template")) {
            EXPECT_EQ(config.data.chat_template, text->get<std::string>());
        }
    }
}

TEST(ConfigImport, EveryKeyOfTheFileIsReported) {
    for (const Shape& shape : shapes()) {
        SCOPED_TRACE(shape.name);
        const ImportResult result = import(shape.yaml);
        std::set<std::string> reported;
        for (const ImportItem& item : result.items) reported.insert(item.key.substr(0, item.key.find('.')));
        std::istringstream lines(shape.yaml);
        for (std::string line; std::getline(lines, line);) {
            const std::size_t colon = line.find(": ");
            if (colon == std::string::npos || line[0] == ' ' || line.find("train.") == 0) continue;  // a value follows on the line
            EXPECT_TRUE(reported.count(line.substr(0, colon))) << line;
        }
    }
}

TEST(ConfigImport, UnsupportedKeysNameTheirLine) {
    const ImportResult result = import("base_model: m\nadapter: lora\nbf16: true\ndatasets: [{path: d, type: alpaca}]\nload_in_8bit: true\n");
    EXPECT_EQ(reason_of(result, "load_in_8bit"),
              "theirs.yaml:5: base weights are quantised by load_in_4bit or load_in_fp8 alone; another quantisation gives another result");
    EXPECT_TRUE(
        import("base_model: m\nadapter: qlora\nbf16: true\ndatasets: [{path: d, type: alpaca}]\nload_in_8bit: true\n", {}, 1, {"load_in_8bit"})
            .complete());
    EXPECT_EQ(reason_of(import("base_model: m\nadapter:\n"), "adapter").substr(0, 13), "theirs.yaml:2");
    EXPECT_THROW(import("a: 1\n"), Error);
    EXPECT_THROW(import("finetuning_type: lora\nmodel_name_or_path: m\n"), Error);
    EXPECT_THROW(import(trl, {"no_such_setting=1"}), Error);
}

TEST(ConfigImport, TheTrainerIsKnownByItsKeysOrSaid) {
    const auto kind = [](const std::string& yaml, const std::string& trainer = "auto") {
        ImportOptions options;
        options.trainer = trainer;
        return import_config(yaml, "theirs.yaml", options).kind;
    };
    EXPECT_EQ(kind(trl), TrainKind::sft);
    EXPECT_EQ(kind(trl + "loss_type: nll\n"), TrainKind::sft);
    EXPECT_EQ(kind(trl + "loss_type: ipo\n"), TrainKind::dpo);
    EXPECT_EQ(kind(trl, "dpo"), TrainKind::dpo);
    EXPECT_EQ(kind(axolotl + "rl: orpo\n"), TrainKind::dpo);
    EXPECT_EQ(kind(axolotl), TrainKind::sft);
    const ImportResult said = import(trl + "beta: 0.1\n", {"dpo.loss_type=orpo"});
    EXPECT_EQ(*at(said.config, "dpo.loss_type"), "orpo");
    EXPECT_NE(said.yaml.find("for temper dpo"), std::string::npos);
}

TEST(ConfigImport, PairsAreCountedForStepsOfAnEpoch) {
    const TemporaryDirectory work;
    const std::string pairs = (work.path() / "pairs.jsonl").string(), labelled = (work.path() / "labelled.jsonl").string();
    std::ofstream pairs_file(pairs), labelled_file(labelled);
    for (int i = 0; i < 20; ++i) {
        pairs_file << "{\"prompt\": \"a\", \"chosen\": \" b\", \"rejected\": \" c\"}\n";
        labelled_file << "{\"prompt\": \"a\", \"completion\": \" b\", \"label\": true}\n";
    }
    pairs_file.close();
    labelled_file.close();
    const std::string base = "model_name_or_path: " + tiny + "\nuse_peft: true\nsave_strategy: epoch\nper_device_train_batch_size: 4\nbeta: 0.1\n";
    EXPECT_EQ(*at(import(base + "dataset_name: " + pairs + "\n").config, "train.save_steps"), 5);
    EXPECT_EQ(*at(import(base + "loss_type: kto\ndataset_name: " + labelled + "\n").config, "train.save_steps"), 5);
    EXPECT_EQ(*at(import(base + "loss_type: kto\ndataset_name: " + pairs + "\n").config, "train.save_steps"), 10);
}

TEST(ConfigImport, TruthIsSpelledAsInYaml11) {
    for (const char* text : {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}) EXPECT_EQ(json_of(parse_yaml(text, "t")), true) << text;
    for (const char* text : {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
        EXPECT_EQ(json_of(parse_yaml(text, "t")), false) << text;
    for (const char* text : {"yES", "oN", "y", "'no'"}) EXPECT_TRUE(json_of(parse_yaml(text, "t")).is_string()) << text;
}

TEST(ConfigImport, EvaluationIsOffOrAsOftenAsLogging) {
    const auto eval_steps = [](const std::string& more) { return *at(import(trl + "test_split_size: 0.1\n" + more).config, "train.eval_steps"); };
    for (const char* off : {"no", "No", "'no'", "off", "false", "none"}) EXPECT_EQ(eval_steps(fmt::format("eval_strategy: {}\n", off)), 0) << off;
    EXPECT_EQ(eval_steps("eval_strategy: steps\n"), 10);
    EXPECT_EQ(eval_steps("eval_strategy: steps\nlogging_steps: 7\n"), 7);
    EXPECT_EQ(eval_steps("eval_strategy: steps\nlogging_steps: 0.1\n"), 10);
    EXPECT_EQ(eval_steps("eval_strategy: steps\nlogging_steps: 7\neval_steps: 3\n"), 3);
}

TEST(ConfigImport, AxolotlsStrategiesAreKept) {
    const std::string base = axolotl + "datasets: [{path: d, type: alpaca}]\nval_set_size: 0.1\n";
    EXPECT_NE(reason_of(import(base), "train.eval_steps").find("does not say when they are evaluated"), std::string::npos);
    for (const char* name : {"eval_strategy", "evaluation_strategy", "save_strategy"}) {
        SCOPED_TRACE(name);
        const std::string target = name[0] == 's' ? "train.save_steps" : "train.eval_steps";
        const ImportResult off = import(base + name + ": no\n");
        ASSERT_NE(at(off.config, target), nullptr);
        EXPECT_EQ(*at(off.config, target), 0);
        const ImportResult epoch = import(base + name + ": epoch\n");
        const auto to_do = keys_of(epoch, ImportItem::Kind::to_do);
        EXPECT_EQ(std::count(to_do.begin(), to_do.end(), name), 1);  // counted once the rows are here
        EXPECT_EQ(at(epoch.config, target), nullptr);
    }
    const ImportResult steps = import(base + "eval_strategy: steps\neval_steps: 4\n");
    EXPECT_EQ(*at(steps.config, "train.eval_steps"), 4);
    EXPECT_EQ(reason_of(steps, "train.eval_steps"), "no item");
}

// What is counted an epoch, or as a share, is enough for the best model and for early stopping.
TEST(ConfigImport, TheBestModelMayWaitForStepsThatAreCountedLater) {
    const std::string base = axolotl + "datasets: [{path: d, type: alpaca}]\nval_set_size: 0.1\n";
    for (const ImportResult& result :
         {import(trl + "test_split_size: 0.1\neval_strategy: epoch\nsave_strategy: epoch\nload_best_model_at_end: true\n"),
          import(trl + "test_split_size: 0.1\neval_strategy: steps\neval_steps: 0.25\nload_best_model_at_end: true\n"),
          import(base + "evals_per_epoch: 2\nearly_stopping_patience: 3\n")})
        EXPECT_EQ(keys_of(result, ImportItem::Kind::unsupported), std::vector<std::string>());
    EXPECT_EQ(*at(import(base + "evals_per_epoch: 2\nearly_stopping_patience: 3\n").config, "train.early_stopping_patience"), 3);
}

TEST(ConfigImport, ADataSetsTemplateIsTaken) {
    const auto result = [](const std::string& more, const std::string& of_data) {
        return import(axolotl + more + "datasets: [{path: d, type: chat_template, chat_template: " + of_data + "}]\n");
    };
    EXPECT_NE(at(result("", "chatml").config, "data.chat_template"), nullptr);
    EXPECT_EQ(at(result("", "tokenizer_default").config, "data.chat_template"), nullptr);
    EXPECT_EQ(keys_of(result("chat_template: chatml\n", "chatml"), ImportItem::Kind::unsupported), std::vector<std::string>());
    EXPECT_EQ(keys_of(result("chat_template: chatml\n", "llama3"), ImportItem::Kind::unsupported).size(), 1u);
}

TEST(ConfigImport, DropoutOfPreferenceTuningIsSaidToBeOff) {
    const ImportResult result = import_config(
        "model_name_or_path: m\ndataset_name: d\nbeta: 0.1\ndisable_dropout: false\nlora_dropout: 0.1\nuse_peft: true\n", "theirs.yaml", {});
    EXPECT_EQ(keys_of(result, ImportItem::Kind::unsupported), std::vector<std::string>{"disable_dropout"});
    EXPECT_EQ(*at(result.config, "lora.lora_dropout"), 0);
}

TEST(ConfigImport, AxolotlsPrecisionIsReadByItsText) {
    const auto result = [](const std::string& more) { return import("base_model: m\nadapter: lora\ndatasets: [{path: d, type: alpaca}]\n" + more); };
    const auto dtype = [&](const std::string& more) { return *at(result(more).config, "dtype"); };
    EXPECT_EQ(dtype("torch_dtype: float32\n"), "float32");
    EXPECT_EQ(dtype("torch_dtype: fp32\n"), "float32");
    EXPECT_EQ(dtype("torch_dtype: bfloat16\n"), "bfloat16");
    EXPECT_EQ(dtype("torch_dtype: auto\n"), "bfloat16");
    EXPECT_EQ(dtype(""), "float32");
    for (const char* key : {"float16: true", "fp16: true", "torch_dtype: float16"}) {
        const ImportResult half = result(std::string(key) + "\n");
        EXPECT_EQ(*at(half.config, "dtype"), "bfloat16") << key;
        EXPECT_EQ(keys_of(half, ImportItem::Kind::changed), std::vector<std::string>{std::string(key).substr(0, std::string(key).find(':'))});
    }
    EXPECT_EQ(keys_of(result("torch_dtype: float8\n"), ImportItem::Kind::unsupported), std::vector<std::string>{"torch_dtype"});
    EXPECT_EQ(dtype("bf16: true\ntorch_dtype: float32\n"), "bfloat16");
}

TEST(ConfigImport, NoLimitIsNotALimit) {
    const ImportResult result = import(trl + "max_length: null\n");
    EXPECT_EQ(*at(result.config, "data.on_overlong"), "fail");
    EXPECT_NE(reason_of(result, "max_length").find("null is no limit"), std::string::npos);
}

TEST(ConfigImport, BatchIsThatOfAllDevices) {
    const std::string yaml = axolotl + "datasets: [{path: d, type: alpaca}]\nmicro_batch_size: 3\ngradient_accumulation_steps: 2\n";
    EXPECT_EQ(*at(import(yaml, {}, 4).config, "train.global_batch_size"), 24);
    EXPECT_EQ(*at(import(yaml, {"global_batch_size=5"}, 4).config, "train.global_batch_size"), 5);
}

}  // namespace
}  // namespace temper
