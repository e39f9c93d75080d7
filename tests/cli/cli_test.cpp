// The real program: what it accepts, what it says, and the code that it ends with.
#include <algorithm>

#include <gtest/gtest.h>

#include "program.h"

namespace temper {
namespace {

const char* const minimal = "model: m\ndata: {train: a.jsonl}\n";

void expect_failure(const std::string& arguments, int code, const std::string& message) {
    const Outcome outcome = run_temper(arguments);
    EXPECT_EQ(outcome.code, code) << arguments;
    EXPECT_NE(outcome.err.find("temper: error: " + message), std::string::npos) << arguments << "\n" << outcome.err;
    EXPECT_EQ(outcome.out, "") << arguments;
}

TEST(CommandLine, VersionNamesBuildAndLibraries) {
    const Outcome outcome = run_temper("--version");
    EXPECT_EQ(outcome.code, 0);
    for (const char* part : {"temper 0.", "GNU", "ISA    ", "BLAS   OpenBLAS", "MPI    ", "HDF5   1.", "CUDA   "})
        EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
}

TEST(CommandLine, HelpListsEveryOption) {
    const auto expect_help = [](const std::string& command, const std::vector<std::string>& parts) {
        const Outcome outcome = run_temper(command + " --help");
        EXPECT_EQ(outcome.code, 0) << command;
        for (const std::string& part : parts) EXPECT_NE(outcome.out.find(part), std::string::npos) << command << ": " << part << "\n" << outcome.out;
    };
    expect_help("", {"sft", "config", "tokenize", "convert", "merge", "score", "--version", "Exit codes:", "127 where there is none", "128 + n"});
    expect_help("sft", {"CONFIG.yaml [key=value ...]", "--resume auto|no|PATH", "--dry-run", "--json", "train.learning_rate", "lora.r [16]",
                        "early_stopping_patience"});
    expect_help("config show", {"CONFIG.yaml", "--for sft|dpo", "--json"});
    expect_help("config schema", {"--markdown", "--json"});
    expect_help("tokenize",
                {"--model DIR", "--input", "--output", "--chat", "--no-special-in-text", "--show", "--preferences", "--threads N", "--json"});
    expect_help("convert", {"MODEL", "--output PATH", "--type TYPE", "--json"});
    expect_help("merge", {"--model DIR", "--adapter DIR", "--output PATH", "--type TYPE", "--probe FILE", "--json"});
    expect_help("score", {"--predictions", "--metrics", "--json"});
}

TEST(CommandLine, UsageErrorsEndWithTwo) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", minimal);
    expect_failure("", 2, "A subcommand is required; see temper --help");
    expect_failure("sf", 2, "temper: unknown command sf; did you mean sft?");
    expect_failure("sft", 2, "no configuration is given");
    expect_failure("sft --reusme auto", 2, "temper sft: unknown option --reusme; did you mean --resume?");
    expect_failure("config sho", 2, "temper config: unknown command sho; did you mean show?");
    expect_failure("convert a.gguf", 2, "--output is required; see temper convert --help");
    expect_failure("config show " + config + " other.yaml", 2, "two configurations are given");
    expect_failure("config show " + config + " --for ppo", 2, "--for: ppo not in {sft,dpo}");
}

TEST(CommandLine, ConfigurationErrorsNameThePlace) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", std::string(minimal) + "train:\n  learning_rat: 1\n");
    expect_failure("sft " + config, 2, config + ":4:3: unknown key \"learning_rat\" in train; did you mean train.learning_rate?");
    const std::string good = work.write("good.yaml", minimal);
    expect_failure("sft " + good + " lora.r=many", 2, "command line: lora.r=many: lora.r: expected a whole number >= 1, found text \"many\"");
    expect_failure("sft " + good + " ler=1", 2, "command line: ler=1: unknown key \"ler\"");
    expect_failure("sft " + work.file("absent.yaml"), 66, work.file("absent.yaml"));
    expect_failure("sft " + work.write("broken.yaml", "a: [1"), 2, work.file("broken.yaml") + ":");
    expect_failure("sft " + good + " device=cuda", 2, "device: ");  // no kernels, or no device
}

TEST(CommandLine, NamesOfOtherTrainersAndEmptyFilesSayWhatToDo) {
    const WorkDirectory work;
    const std::string good = work.write("good.yaml", minimal);
    for (const char* key : {"fp16=true", "optim=adamw_torch", "hub_model_id=a"})
        expect_failure("sft " + good + " " + key, 2,
                       "command line: " + std::string(key) + ": unknown key \"" + std::string(key).substr(0, std::string(key).find('=')) +
                           "\"; it is a key of TRL: `temper config import` says what becomes of it");
    expect_failure("sft " + good + " seeed=1", 2, "command line: seeed=1: unknown key \"seeed\"; did you mean train.seed?");
    const std::string empty = work.write("empty.yaml", "");
    expect_failure("sft " + empty, 2, empty + ": model: expected a Hugging Face directory or a .gguf file, nothing is given");
}

TEST(CommandLine, PathsThatAreNoModel) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", minimal);
    expect_failure("generate --prompt a --model " + config, 65,
                   "model '" + config + "' is neither a directory nor a GGUF file: give the model's directory");
    expect_failure(
        "generate --prompt a --model owner/name", 66,
        "model 'owner/name' does not exist: give a Hugging Face directory or a .gguf file; a model of the Hub is downloaded first, as with "
        "hf download owner/name --local-dir DIR");
    const Outcome absent = run_temper("generate --prompt a --model " + work.file("a/b"));
    EXPECT_EQ(absent.err.find("hf download"), std::string::npos) << absent.err;
}

TEST(CommandLine, OutputsAreLookedAtBeforeTheWork) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl", ""), output = work.file("none/out");
    for (const char* command : {"generate", "tokenize", "calibrate", "search store"})
        expect_failure(std::string(command) + " --model m --input " + rows + " --output " + output, 66, output + ": the directory ");
}

TEST(CommandLine, OptionsOutOfRangeAndUnknownNamesAreUsageErrors) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl", "{\"prediction\": \"a\", \"reference\": \"a\"}\n");
    expect_failure("generate --model m --prompt a --top-p 7", 2, "generate: --top-p: expected a number above 0, to 1, found 7");
    expect_failure("generate --model m --prompt a --seed -1", 2, "generate: --top-k and --seed: expected at least 0");
    expect_failure("generate --model m --prompt a --temperature -1", 2, "generate: --temperature: expected at least 0, found -1");
    expect_failure("generate --model m --prompt a --bnb-4bit-use-double-quant", 2, "generate: --bnb-4bit-use-double-quant needs --load-in-4bit");
    expect_failure("embed --model m --input " + rows + " --output " + work.file("v.h5") + " --pooling avg", 2, "--pooling: pooling 'avg' is none of");
    const std::string checks = work.write("checks.yaml", "checks:\n  - {reegx: a}\n");
    expect_failure("score --predictions " + rows + " --metrics exact_match --checks " + checks, 2, checks + ":2:6: unknown check 'reegx'");
}

TEST(CommandLine, JsonIsAnObjectAlsoOnFailure) {
    const Outcome parse = run_temper("sft --wrong --json");
    EXPECT_EQ(parse.code, 2);
    EXPECT_EQ(parse.last_object()["status"], "failed");
    EXPECT_EQ(parse.last_object()["exit_code"], 2);
    const Outcome missing = run_temper("sft /no/such.yaml --json");
    EXPECT_EQ(missing.code, 66);
    EXPECT_EQ(missing.last_object()["exit_code"], 66);
    EXPECT_NE(missing.last_object()["error"].get<std::string>().find("/no/such.yaml"), std::string::npos);
}

TEST(CommandLine, StdoutThatCannotBeWrittenIsAnIoError) {
    const Outcome outcome = run_temper("config schema >/dev/full; exit $?; true");
    EXPECT_EQ(outcome.code, 74) << outcome.err;
}

TEST(ConfigShow, ResolvesAndReadsBack) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", std::string(minimal) + "num_epochs: 2\n");
    const Outcome first = run_temper("config show " + config + " seed=7");
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_NE(first.out.find("num_train_epochs: 2.0\n"), std::string::npos) << first.out;
    EXPECT_NE(first.out.find("seed: 7\n"), std::string::npos);
    EXPECT_NE(first.out.find("learning_rate: 0.0001\n"), std::string::npos);
    EXPECT_NE(first.err.find("num_epochs is recorded as train.num_train_epochs"), std::string::npos) << first.err;
    EXPECT_EQ(first.err.find('\x1b'), std::string::npos);
    const Outcome again = run_temper("config show " + work.write("again.yaml", first.out));
    EXPECT_EQ(again.out, first.out);
    EXPECT_NE(run_temper("config show " + config + " --for dpo").out.find("learning_rate: 5.0e-06\n"), std::string::npos);
}

TEST(ConfigShow, OverridesStandAboveTheEnvironmentAndThatAboveTheFile) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", std::string(minimal) + "seed: 1\n");
    EXPECT_NE(run_temper("config show " + config, "TEMPER_TRAIN__SEED=2").out.find("seed: 2\n"), std::string::npos);
    EXPECT_NE(run_temper("config show seed=3 " + config, "TEMPER_TRAIN__SEED=2").out.find("seed: 3\n"), std::string::npos);
}

TEST(ConfigShow, VariableThatIsNearlyASettingsIsNamed) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", minimal);
    const Outcome outcome = run_temper("config show " + config, "TEMPER_TRAIN_SEED=2 TEMPER_RUN_DIR=a TEMPER_PARENT_RUN_ID=b");
    EXPECT_NE(outcome.err.find("warning: TEMPER_TRAIN_SEED in the environment sets nothing; did you mean TEMPER_TRAIN__SEED?"), std::string::npos)
        << outcome.err;
    EXPECT_EQ(outcome.err.find("TEMPER_RUN_DIR"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("TEMPER_PARENT_RUN_ID"), std::string::npos) << outcome.err;
}

TEST(ConfigShow, AnAdapterToStartFromBringsItsShape) {
    const WorkDirectory work;
    const std::string config = work.write("run.yaml", minimal);
    const std::string adapter = std::filesystem::path(config).parent_path().string();
    work.write("adapter_config.json", R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["v_proj", "q_proj"]})");
    const std::string show = "config show --json " + config + " init_adapter=" + adapter;
    const Json own = run_temper(show).last_object();
    EXPECT_EQ(own["config"]["lora"]["r"], 4);
    EXPECT_EQ(own["config"]["lora"]["lora_alpha"], 8.0);
    EXPECT_EQ(own["config"]["lora"]["target_modules"], (Json{"v_proj", "q_proj"}));
    const Json same = run_temper(show + " r=4 lora_alpha=8 'target_modules=[q_proj, v_proj]'").last_object();
    EXPECT_EQ(same["config"], own["config"]);
    EXPECT_EQ(same["config_hash"], own["config_hash"]);
    const std::string found = ", and the adapter of lora.init_adapter, " + adapter + ", has ";
    expect_failure("config show " + config + " init_adapter=" + adapter + " r=16", 2,
                   "command line: r=16: lora.r: found 16" + found + "4: leave the setting out");
    expect_failure("config show " + config + " init_adapter=" + adapter + " lora_alpha=32", 2,
                   "command line: lora_alpha=32: lora.lora_alpha: found 32" + found + "8: leave the setting out");
    // What the run is does not hang on the folder being there when the configuration is read again.
    const Json absent = run_temper("config show --json " + config + " init_adapter=" + work.file("none")).last_object();
    work.write("more.yaml", std::string(minimal) + "lora: {init_adapter: " + work.file("none") + ", r: 4}\n");
    EXPECT_EQ(run_temper("config show --json " + work.file("more.yaml")).last_object()["config_hash"], absent["config_hash"]);
}

TEST(ConfigShow, JsonHoldsHashAndValues) {
    const WorkDirectory work;
    const Json result = run_temper("config show " + work.write("run.yaml", minimal) + " --json").last_object();
    EXPECT_EQ(result["status"], "done");
    EXPECT_EQ(result["config_hash"].get<std::string>().size(), 64u);
    EXPECT_EQ(result["config"]["lora"]["r"], 16);
}

TEST(Bench, PeakOfEveryInstructionSet) {
    const Outcome outcome = run_temper("bench peak --device cpu --threads 1 --json");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Json result = outcome.last_object();
    const Json& rates = result.at("flops_per_second");
    EXPECT_GT(rates.at("scalar").get<double>(), 1e8);
    EXPECT_GT(rates.at(result.at("best").get<std::string>()).get<double>(), rates.at("scalar").get<double>());
    expect_failure("bench peak --threads -1", 2, "--threads: expected");
    expect_failure("bench peak --device tpu", 2, "device: found \"tpu\", expected auto, cpu or cuda");
}

// What is tested is the way of the verdict, with differences far beyond noise; how good it is, tests/campaigns/bench_suite.sh finds out.
TEST(Bench, SuiteComparesWithABuildAndWithAFile) {
    const WorkDirectory work;
    const std::string quick = " --workloads rows --rounds 1 --pairs 20 --threads 1 --threshold 1 --json";
    const Outcome same = run_temper("bench suite --baseline '" TEMPER_BINARY "'" + quick + " --output " + work.file("times.json"));
    EXPECT_EQ(same.code, 0) << same.out << same.err;
    const Json line = same.last_object().at("workloads").at("rows");
    EXPECT_EQ(line.at("verdict"), "same");
    EXPECT_EQ(line.at("same_numbers"), true);
    EXPECT_GT(line.at("milliseconds").get<double>(), 0.0);
    const Outcome slower = run_temper("bench suite --slow-down 4 --baseline '" TEMPER_BINARY "'" + quick);
    EXPECT_EQ(slower.code, 3) << slower.out << slower.err;
    EXPECT_EQ(slower.last_object().at("status"), "slower");
    EXPECT_EQ(run_temper("bench suite" + quick + " --output " + work.file("alone.json")).code, 0);
    EXPECT_EQ(run_temper("bench suite --slow-down 40 --baseline " + work.file("alone.json") + quick).code, 3);
}

TEST(Bench, SuiteRefusesWhatItCannotCompare) {
    const WorkDirectory work;
    expect_failure("bench suite --workloads dance", 2, "--workloads: found 'dance', expected some of linear");
    expect_failure("bench suite --baseline " + work.file("none"), 66, "--baseline: ");
    expect_failure("bench suite --baseline " + work.write("other.json", "{}"), 65, work.file("other.json") + ": not the --output");
    const std::string history = "{\"format\": 1, \"machine\": {}, \"workloads\": {\"rows\": {\"cost\": [[]]}}}";
    expect_failure("bench suite --workloads rows --baseline " + work.write("empty.json", history), 65,
                   work.file("empty.json") + ": workloads.rows.cost");
    expect_failure("bench suite --rounds 1 --pairs 2 --baseline " + work.file("empty.json"), 2, "bench suite: --rounds times --pairs is 2");
    expect_failure("bench suite --rounds 0", 2, "bench suite: --rounds");
    EXPECT_EQ(run_temper("bench suite --workloads rows --baseline /bin/true").code, 74);
    expect_failure("bench worker --workload dance", 2, "bench: there is no workload 'dance'");
}

TEST(Score, MeansOnStdoutAndAsAnObject) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl", "{\"prediction\":\"a\",\"reference\":\"a\"}\n{\"prediction\":\"a\",\"reference\":\"b\"}\n");
    const Outcome outcome = run_temper("score --predictions " + rows + " --metrics exact_match --json");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.last_object()["status"], "done");
    EXPECT_EQ(outcome.last_object()["exact_match"], 0.5);
    EXPECT_EQ(run_temper("score --predictions " + rows + " --metrics exact_mach").code, 2);
}

const std::string tiny = std::string("--model '") + TEMPER_SOURCE_DIR + "/tests/goldens/tiny_chat'";

TEST(Tokenize, TextsAndConversations) {
    const WorkDirectory work;
    const std::string texts = work.write("texts.jsonl", "{\"text\":\"hello\"}\n\n{\"text\":\"\"}\n");
    const Outcome plain = run_temper("tokenize " + tiny + " --input " + texts + " --output " + work.file("ids.jsonl") + " --json");
    ASSERT_EQ(plain.code, 0) << plain.err;
    EXPECT_EQ(plain.last_object()["rows"], 2);
    const std::string written = work.read("ids.jsonl");
    const Json first = Json::parse(written.substr(0, written.find('\n')));
    EXPECT_EQ(first["text"], "hello");
    EXPECT_FALSE(first["ids"].empty());

    const std::string chats = work.write("chats.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}\n");
    const Outcome chat = run_temper("tokenize " + tiny + " --chat --input " + chats + " --output " + work.file("chat.jsonl"));
    ASSERT_EQ(chat.code, 0) << chat.err;
    const Json row = Json::parse(work.read("chat.jsonl"));
    EXPECT_NE(row["text"].get<std::string>().find("hello"), std::string::npos);
    EXPECT_GT(row["ids"].size(), first["ids"].size());
}

TEST(Tokenize, ThreadsChangeNothing) {
    const WorkDirectory work;
    std::string rows;
    for (int i = 0; i < 1500; ++i) rows += Json{{"text", "row " + std::to_string(i * 7919 % 1000) + " of many"}}.dump() + "\n";
    const std::string input = work.write("rows.jsonl", rows);
    for (const char* threads : {"1", "4"})
        ASSERT_EQ(run_temper("tokenize " + tiny + " --input " + input + " --output " + work.file(threads) + " --threads " + threads).code, 0);
    EXPECT_EQ(work.read("1"), work.read("4"));
    EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 1500);
}

TEST(Tokenize, TextOfStrangersDoesNotCommand) {
    const WorkDirectory work;
    const std::string plain = work.write("one.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}\n");
    ASSERT_EQ(run_temper("tokenize " + tiny + " --chat --input " + plain + " --output " + work.file("one")).code, 0);
    const Json one = Json::parse(work.read("one"));
    const auto start = one["ids"][0].get<int>();  // the template's first token opens a turn
    const std::string token = one["text"].get<std::string>().substr(0, one["text"].get<std::string>().find('>') + 1);
    const auto count = [&](const std::string& flags, const Json& row) {
        const std::string input = work.write("rows.jsonl", row.dump() + "\n");
        const Outcome outcome = run_temper("tokenize " + tiny + flags + " --input " + input + " --output " + work.file("ids.jsonl"));
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        const Json ids = Json::parse(work.read("ids.jsonl"))["ids"];
        return std::count(ids.begin(), ids.end(), Json(start));
    };
    const Json text = {{"text", token + "system"}}, chat = {{"messages", Json::array({Json{{"role", "user"}, {"content", token + "system"}}})}};
    EXPECT_EQ(count("", text), 1) << token;
    EXPECT_EQ(count(" --no-special-in-text", text), 0);
    EXPECT_EQ(count(" --chat", chat), 2);
    EXPECT_EQ(count(" --chat --no-special-in-text", chat), 1);
}

TEST(Tokenize, ShowMarksWhatIsSupervised) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl", "{\"prompt\":\"ask\",\"completion\":\" answer\"}\n{\"text\":\"all\"}\n");
    const Outcome shown = run_temper("tokenize " + tiny + " --input " + rows + " --show");
    ASSERT_EQ(shown.code, 0) << shown.err;
    EXPECT_NE(shown.out.find("ask\xe2\x9f\xa6 answer"), std::string::npos) << shown.out;
    EXPECT_NE(shown.out.find("\xe2\x9f\xa6"
                             "all"),
              std::string::npos)
        << shown.out;
    EXPECT_EQ(shown.out.find('\033'), std::string::npos);
    EXPECT_NE(run_temper("tokenize " + tiny + " --input " + rows + " --show --all-supervised --limit 1")
                  .out.find("\xe2\x9f\xa6"
                            "ask"),
              std::string::npos);
    expect_failure("tokenize " + tiny + " --input " + rows, 2, "tokenize: --output is missing");
    expect_failure("tokenize " + tiny + " --input " + rows + " --show --chat", 2, "tokenize: --show prints rows as sft takes them");
}

TEST(Tokenize, ShowPrintsPairs) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl",
                                        "{\"prompt\":\"ask\",\"chosen\":\" well\",\"rejected\":\" ill\"}\n"
                                        "{\"prompt\":\"ask\",\"completion\":\" so\",\"label\":false}\n");
    const Outcome shown = run_temper("tokenize " + tiny + " --input " + rows + " --show --preferences");
    ASSERT_EQ(shown.code, 0) << shown.err;
    EXPECT_NE(shown.out.find("ask\nchosen    \xe2\x9f\xa6 well<|im_end|>\xe2\x9f\xa7\nrejected  \xe2\x9f\xa6 ill<|im_end|>\xe2\x9f\xa7\n"),
              std::string::npos)
        << shown.out;
    EXPECT_NE(shown.out.find("ask\nundesirable  \xe2\x9f\xa6 so<|im_end|>"), std::string::npos) << shown.out;
    expect_failure("tokenize " + tiny + " --input " + rows + " --preferences --output " + work.file("ids.jsonl"), 2,
                   "tokenize: --preferences says how --show prints rows; add --show");
}

TEST(Tokenize, BadRowsNameTheLineAndLeaveNoOutput) {
    const WorkDirectory work;
    const std::string rows = work.write("rows.jsonl", "{\"text\":\"a\"}\n{\"txt\":\"b\"}\n{\"text\":\n");  // the first is named
    expect_failure("tokenize " + tiny + " --input " + rows + " --output " + work.file("ids.jsonl"), 65, rows + ":2: expected \"text\"");
    const std::string damaged = work.write("damaged.jsonl", "{\"text\":\"a\"}\n{\"text\":\n");
    expect_failure("tokenize " + tiny + " --input " + damaged + " --output " + work.file("ids.jsonl"), 65, damaged + ":2:");
    EXPECT_FALSE(std::filesystem::exists(work.file("ids.jsonl")));
    expect_failure("tokenize " + tiny + " --input " + work.file("none.jsonl") + " --output " + work.file("ids.jsonl"), 66, work.file("none.jsonl"));
    expect_failure("tokenize --model " + work.file("no_model") + " --input " + rows + " --output " + work.file("ids.jsonl"), 66,
                   "model '" + work.file("no_model"));
}

}  // namespace
}  // namespace temper
