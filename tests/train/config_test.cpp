#include "train/config.h"

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "tests/runs/json_schema.h"

namespace temper {
namespace {

const std::string base = "model: m\ndata: {train: a.jsonl}\n";

Config read(const std::string& yaml, const std::vector<std::string>& overrides = {}, TrainKind kind = TrainKind::sft) {
    return parse_config(yaml, "run.yaml", overrides, kind);
}

std::string error_of(const std::string& yaml, const std::vector<std::string>& overrides = {}, TrainKind kind = TrainKind::sft) {
    try {
        read(yaml, overrides, kind);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        return error.what();
    }
    return "no error";
}

TEST(Config, DesignsExampleHoldsItsDefaults) {
    const std::string written =
        "model: models/smollm2-135m\noutput_dir: runs\nrun_name: tickets\ndtype: bfloat16\ndevice: auto\nthreads: 0\n"
        "data:\n  train: data/train.jsonl\n  eval: data/eval.jsonl\n  max_length: 1024\n  on_overlong: truncate\n  shuffle: true\n"
        "  completion_only_loss: true\n  assistant_only_loss: false\n"
        "lora:\n  {r: 16, lora_alpha: 32, lora_dropout: 0.0, target_modules: all-linear, use_rslora: false, rank_pattern: {}, alpha_pattern: {}, "
        "init_adapter: null}\n"
        "train:\n  num_train_epochs: 3\n  max_steps: -1\n  global_batch_size: 16\n  micro_batch_tokens: 4096\n  learning_rate: null\n"
        "  lr_scheduler_type: cosine\n  warmup_steps: 0\n  weight_decay: 0.0\n  max_grad_norm: 1.0\n  adam_beta1: 0.9\n  adam_beta2: 0.999\n"
        "  adam_epsilon: 1.0e-8\n  seed: 42\n  logging_steps: 1\n  eval_steps: 0\n  save_steps: 100\n  save_total_limit: 3\n"
        "  load_best_model_at_end: false\n  metric_for_best_model: eval_loss\n  early_stopping_patience: 0\n"
        "dpo:\n  {beta: 0.1, loss_type: sigmoid, loss_weights: null, label_smoothing: 0.0, reference: auto, precompute_ref_log_probs: false}\n";
    Config expected;
    expected.model = "models/smollm2-135m";
    expected.run_name = "tickets";
    expected.data.train = {{"data/train.jsonl", 1.0, -1, {}, "auto"}};
    expected.data.eval = {{"data/eval.jsonl", 1.0, -1, {}, "auto"}};
    expected.train.learning_rate = 1e-4;
    EXPECT_EQ(config_json(read(written)), config_json(expected));
}

TEST(Config, LearningRateFollowsTheKind) {
    EXPECT_EQ(read(base).train.learning_rate, 1e-4);
    EXPECT_EQ(read(base, {}, TrainKind::dpo).train.learning_rate, 5e-6);
    EXPECT_EQ(read(base, {"learning_rate=3e-4"}, TrainKind::dpo).train.learning_rate, 3e-4);
}

TEST(Config, DataFilesInEveryForm) {
    const Config config = read(
        "model: m\ndata:\n  train:\n    - a.jsonl\n    - {path: b.jsonl, weight: 0.5, max_rows: 10, columns: {prompt: question}}\n  eval: {path: "
        "e.jsonl}\n");
    ASSERT_EQ(config.data.train.size(), 2u);
    EXPECT_EQ(config.data.train[1].columns.at("prompt"), "question");
    EXPECT_EQ(config.data.train[1].max_rows, 10);
    EXPECT_EQ(config.data.eval.at(0).path, "e.jsonl");
    EXPECT_EQ(error_of("model: m\ndata: {train: [{path: a, columns: {promt: q}}]}"),
              "run.yaml:2:8: data.train: a: columns: unknown column \"promt\"; did you mean prompt?");
    EXPECT_NE(error_of("model: m\ndata: {train: [{path: a, max_rows: 0}]}").find("max_rows 0 takes no row"), std::string::npos);
    EXPECT_NE(error_of("model: m\ndata: {train: [a, a]}").find("listed twice"), std::string::npos);
}

TEST(Config, AliasesOfOtherTrainers) {
    ConfigNotes notes;
    const Config config = parse_config(
        "base_model: m\ntrain_file: a.jsonl\nsequence_len: 512\nlora_r: 8\nlora_alpha: 16\nlora_dropout: 0\nnum_epochs: 2\nlearning_rate: 2e-5\n"
        "seed: 7\nwarmup_ratio: 0.1\npacking: true\nresume_from_checkpoint: true\n",
        "run.yaml", {}, TrainKind::sft, &notes);
    EXPECT_EQ(config.model, "m");
    EXPECT_EQ(config.data.train.at(0).path, "a.jsonl");
    EXPECT_EQ(config.data.max_length, 512);
    EXPECT_EQ(config.lora.r, 8);
    EXPECT_EQ(config.lora.lora_alpha, 16);
    EXPECT_EQ(config.train.num_train_epochs, 2);
    EXPECT_EQ(config.train.learning_rate, 2e-5);
    EXPECT_EQ(config.train.seed, 7);
    EXPECT_EQ(config.train.warmup_steps, 0.1);
    EXPECT_EQ(notes.resume, "auto");
    std::string all;
    for (const std::string& note : notes.notes) all += note + "\n";
    EXPECT_NE(all.find("run.yaml:1:1: base_model is recorded as model"), std::string::npos) << all;
    EXPECT_NE(all.find("packing: rows are always laid end to end"), std::string::npos) << all;
    EXPECT_EQ(read("model_name_or_path: m\ndata: {train: a, max_seq_length: 99}\n").data.max_length, 99);
    EXPECT_EQ(read("model: m\ndata: {train: a}\nmax_length: 98\n").data.max_length, 98);
}

TEST(Config, ResumeFromCheckpointSaysWhatTheOptionSays) {
    const auto resume = [](const std::string& value) {
        ConfigNotes notes;
        parse_config(base + "resume_from_checkpoint: " + value + "\n", "run.yaml", {}, TrainKind::sft, &notes);
        return notes.resume.value_or("not given");
    };
    EXPECT_EQ(resume("false"), "no");
    EXPECT_EQ(resume("null"), "no");
    EXPECT_EQ(resume("True"), "auto");
    EXPECT_EQ(resume("runs/x/checkpoints/step-00000010"), "runs/x/checkpoints/step-00000010");
}

TEST(Config, SizesADeviceSayWhichGlobalBatchSizeTheyMean) {
    EXPECT_EQ(error_of(base + "per_device_train_batch_size: 4\ngradient_accumulation_steps: 8\n"),
              "run.yaml:3:1: per_device_train_batch_size: a step's size is train.global_batch_size, over all ranks. per_device_train_batch_size 4 x "
              "gradient_accumulation_steps 8 is 32 rows on each rank: set train.global_batch_size to 32 x ranks (32 on one rank, 64 on two)");
    EXPECT_NE(error_of(base, {"gradient_accumulation_steps=2"}).find("8 (TRL's default) x gradient_accumulation_steps 2 is 16 rows"),
              std::string::npos);
    EXPECT_NE(error_of(base + "train: {per_device_train_batch_size: 3}\n").find("is 3 rows on each rank"), std::string::npos);
}

TEST(Config, ContradictionsNameTheSetting) {
    EXPECT_EQ(error_of("data: {train: a}"), "run.yaml: model: expected a Hugging Face directory or a .gguf file, nothing is given");
    EXPECT_EQ(error_of("model: m"), "run.yaml: data.train: expected a file of rows, nothing is given");
    EXPECT_EQ(error_of(base + "train:\n  eval_steps: 5\n"),
              "run.yaml:4:3: train.eval_steps: evaluation needs data.eval, nothing is given there; data.val_size holds rows out of data.train");
    EXPECT_NE(error_of(base, {"lora_dropout=1e-6"}).find("expected 0, or 0.001 to 0.99"), std::string::npos);
    EXPECT_NE(error_of(base, {"init_adapter=x", "use_dora=true"}).find("brings its own adapter_config.json"), std::string::npos);
    EXPECT_NE(error_of(base, {"lora_dropout=1"}).find("expected a number in [0, 1)"), std::string::npos);
    EXPECT_NE(error_of(base, {"init_lora_weights=loftq"}).find("expected one of true, gaussian, pissa, pissa_niter_N"), std::string::npos);
    EXPECT_NE(error_of(base, {"early_stopping_patience=2"}).find("early stopping needs evaluations"), std::string::npos);
    EXPECT_NE(error_of(base, {"load_best_model_at_end=true"}).find("found by evaluations"), std::string::npos);
    EXPECT_NE(error_of(base, {"max_steps=0"}).find("train nothing"), std::string::npos);
    EXPECT_NE(error_of(base, {"warmup_steps=1.5"}).find("whole steps, or a ratio below 1"), std::string::npos);
    EXPECT_NE(error_of(base, {"warmup_ratio=3"}).find("is not below 1"), std::string::npos);
    EXPECT_NE(error_of(base, {"metric_for_best_model=bleu"}).find("expected one of eval_loss"), std::string::npos);
    EXPECT_NE(error_of(base, {"lr_scheduler_type=cosine_with_min_lr"}).find("needs one of min_lr and min_lr_rate"), std::string::npos);
    EXPECT_NE(error_of(base, {"lr_scheduler_kwargs={power: 2}"}).find("power is no number of cosine; it takes num_cycles"), std::string::npos);
    EXPECT_NE(error_of(base, {"loss_type=[sigmoid, sft]", "loss_weights=[1]"}, TrainKind::dpo).find("1 weights for 2 losses"), std::string::npos);
    EXPECT_NE(error_of(base, {"dtype=float16"}).find("expected one of bfloat16, float32"), std::string::npos);
    EXPECT_NE(error_of(base, {"rank_pattern={q_proj: 0}"}).find("expected a whole number >= 1"), std::string::npos);
    EXPECT_EQ(read(base, {"layers_to_transform=3"}).lora.layers_to_transform, std::vector<std::int64_t>{3});
    EXPECT_NE(error_of(base, {"lr_scheduler_type=wsd"}).find("wsd needs num_decay_steps"), std::string::npos);
    EXPECT_NE(error_of(base, {"r=0"}).find("expected a whole number >= 1"), std::string::npos);
    EXPECT_NE(error_of(base + "train: {learning_rte: 1}").find("did you mean train.learning_rate?"), std::string::npos);
}

TEST(Config, NamesOfOneThingAreOne) {
    EXPECT_EQ(read(base, {"lr_scheduler_type=warmup_stable_decay", "lr_scheduler_kwargs={num_decay_steps: 5}"}).train.lr_scheduler_type, "wsd");
    EXPECT_EQ(read(base, {"metric_for_best_model=loss"}).train.metric_for_best_model, "eval_loss");
}

TEST(Config, ResolvedYamlReadsBackAsTheSame) {
    const Config config = read(base, {"target_modules=[q_proj, v_proj]", "adam_epsilon=1e-6", "init_adapter=ad", "loss_weights=[1]",
                                      "data.eval=[{path: e, columns: {text: body}}]"});
    EXPECT_EQ(config_json(config), config_json(read(config_yaml(config))));
    EXPECT_EQ(config_hash(config), config_hash(read(config_yaml(config))));
}

TEST(Config, HashLeavesOutWhatChangesNoNumber) {
    const std::string hash = config_hash(read(base));
    EXPECT_EQ(hash.size(), 64u);
    for (const char* same :
         {"threads=3", "output_dir=elsewhere", "run_name=other", "logging_steps=7", "save_steps=5", "save_total_limit=1", "micro_batch_tokens=512"})
        EXPECT_EQ(config_hash(read(base, {same})), hash) << same;
    for (const char* other : {"seed=1", "learning_rate=1e-5", "model=x", "dtype=float32", "device=cpu", "isa=avx2", "leaf_tokens=256",
                              "max_length=99", "data.train=b.jsonl", "r=8", "global_batch_size=8", "lr_scheduler_kwargs={num_cycles: 1}"})
        EXPECT_NE(config_hash(read(base, {other})), hash) << other;
}

TEST(Config, MissingFileIsMissingInput) {
    try {
        load_config("no/such.yaml", {}, TrainKind::sft);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::missing_input);
        EXPECT_NE(std::string(error.what()).find("no/such.yaml"), std::string::npos);
    }
}

TEST(Config, ReferencePageIsUpToDate) {
    EXPECT_TRUE(read_file(std::string(TEMPER_SOURCE_DIR) + "/docs/config.md") == config_markdown())
        << "run: temper config schema --markdown > docs/config.md";
}

TEST(Config, SchemaKnowsEverySetting) {
    const Json schema = config_schema();
    const Json defaults = config_json(Config());
    for (const auto& [name, value] : defaults.items()) {
        ASSERT_TRUE(schema["properties"].contains(name)) << name;
        if (!value.is_object()) continue;
        for (const auto& [leaf, default_value] : value.items()) {
            ASSERT_TRUE(schema["properties"][name]["properties"].contains(leaf)) << name << "." << leaf;
            EXPECT_EQ(schema["properties"][name]["properties"][leaf]["default"], default_value);
        }
    }
}

TEST(Config, SchemaTakesWhatShowPrintsAndRefusesWhatIsRefused) {
    const Json schema = config_schema();
    const auto errors = [&](const Json& config) {
        std::vector<std::string> found;
        check_schema(schema, config, "config", found);
        return found;
    };
    for (const std::vector<std::string>& overrides :
         {std::vector<std::string>{},
          {"data.train=[a, {path: b, weight: 2, columns: {text: t}, format: alpaca}]", "val_size=0.1", "dtype=float32"},
          {"data.eval=e", "eval_steps=3", "learning_rate=1e-5", "target_modules=[a, b]", "init_adapter=x", "chat_template=t.jinja"},
          {"lr_scheduler_type=wsd", "lr_scheduler_kwargs={num_decay_steps: 3}", "loss_weights=[1]"}}) {
        EXPECT_EQ(errors(config_json(read(base, overrides))), std::vector<std::string>());
    }
    EXPECT_EQ(errors(Json{{"model_name_or_path", "m"}, {"packing", true}, {"data", {{"train", "a"}}}}), std::vector<std::string>());
    for (const Json& wrong : {Json{{"modell", "m"}}, Json{{"dtype", "float16"}}, Json{{"train", {{"learning_rate", 0}}}},
                              Json{{"lora", {{"r", 1.5}}}}, Json{{"data", {{"train", {{"weight", 1}}}}}}, Json{{"micro_batch_size", 1}},
                              Json{{"train", {{"adam_beta1", 1}}}}, Json{{"output_dir", ""}}})
        EXPECT_FALSE(errors(wrong).empty()) << wrong;
}

TEST(Config, MoreNamesOfOtherTrainers) {
    const Config config = read(
        "base_model: m\ndatasets: [{path: a.json}]\ncutoff_len: 99\nval_set_size: 0.05\nlora_rank: 4\nlora_target_linear: true\n"
        "bf16: auto\nchat_template_path: t.jinja\n");
    EXPECT_EQ(config.data.train.at(0).path, "a.json");
    EXPECT_EQ(config.data.max_length, 99);
    EXPECT_EQ(config.data.val_size, 0.05);
    EXPECT_EQ(config.lora.r, 4);
    EXPECT_EQ(config.lora.target_modules, std::vector<std::string>{"all-linear"});
    EXPECT_EQ(config.data.chat_template, "t.jinja");
    EXPECT_NE(error_of(base + "bf16: true\ndtype: float32\n").find("run.yaml:3:1: bf16 true beside dtype float32"), std::string::npos);
    EXPECT_NE(error_of(base + "lora_target_linear: true\ntarget_modules: q_proj\n").find("give one of them"), std::string::npos);
    EXPECT_NE(error_of(base + "val_size: 3\ndata.eval: e\n").find("not both"), std::string::npos);
}

}  // namespace
}  // namespace temper
