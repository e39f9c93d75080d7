// `temper features`: documents to embedded, indexed chunks, and `temper features status`.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "cli/version.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "retrieval/features_run.h"
#include "retrieval/model_embedder.h"

namespace temper {
namespace {

struct Arguments {
    std::vector<std::string> words;
    RecordOptions record;
    bool json = false;
};

FeaturesConfig load(const std::vector<std::string>& words) {
    std::string file;
    std::vector<std::string> overrides, notes;
    for (const std::string& word : words) {
        if (word.find('=') != std::string::npos && !std::filesystem::exists(word)) overrides.push_back(word);
        else if (file.empty()) file = word;
        else throw_error(ExitCode::usage, "two configurations are given, {} and {}; a setting is key=value", file, word);
    }
    if (file.empty()) throw_error(ExitCode::usage, "no configuration is given, expected CONFIG.yaml");
    FeaturesConfig config = load_features_config(file, overrides, &notes);
    for (const std::string& note : notes) log_info("{}", note);
    return config;
}

void print_row(const std::string& name, const Json& counts, std::size_t width) {
    std::printf("%-*s", static_cast<int>(width), name.c_str());
    for (const auto& [key, count] : counts.items())
        std::printf("  %*lld", static_cast<int>(key.size()), static_cast<long long>(count.get<std::int64_t>()));
    std::printf("\n");
}

int status(const Arguments& arguments) {
    const std::vector<std::string> words(arguments.words.begin() + 1, arguments.words.end());
    const bool folder = words.size() == 1 && std::filesystem::is_directory(words[0]);
    const Json held = features_status(folder ? words[0] : load(words).store);
    std::size_t width = 8;
    for (const auto& [name, counts] : held["categories"].items()) width = std::max(width, name.size());
    std::printf("%-*s", static_cast<int>(width), "category");
    for (const auto& [key, count] : held["total"].items()) std::printf("  %s", key.c_str());
    std::printf("\n");
    for (const auto& [name, counts] : held["categories"].items()) print_row(name, counts, width);
    print_row("total", held["total"], width);
    Json result{{"status", "done"}};
    result.update(held);
    if (arguments.json) print_result(result);
    return 0;
}

int features(const Arguments& arguments) {
    if (!arguments.words.empty() && arguments.words[0] == "status") return status(arguments);
    FeaturesOptions options;
    static_cast<RecordOptions&>(options) = arguments.record;
    options.config = load(arguments.words);
    options.open_embedder = [&config = options.config] {
        ModelEmbedderOptions model;
        model.dtype = config.dtype;
        model.device = config.device;
        model.threads = config.threads;
        return open_model_embedder(config.model, model);
    };
    const FeaturesOutcome outcome = run_features(options);
    if (arguments.json) print_result(outcome.result);
    return outcome.exit_code;
}

}  // namespace

void add_features(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Arguments>();
    arguments->record.command_line = command_line;
    arguments->record.versions = version_map();
    Command& command =
        temper.command("features", "Documents to cleaned, embedded, indexed chunks by category; run again, only what changed is embedded.");
    command.positionals("CONFIG.yaml [key=value ...] | status CONFIG.yaml|DIR", arguments->words,
                        "The configuration, and settings that override it; status counts what each stage holds.");
    add_record_arguments(command, arguments->record);
    command.flag("--json", arguments->json, "One object as the last line of stdout: run_id, run_dir, status, metrics; of status: categories, total.");
    command.footer([] { return features_help(); });
    command.runs([arguments] { return features(*arguments); });
}

}  // namespace temper
