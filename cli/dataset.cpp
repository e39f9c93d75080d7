#include "retrieval/dataset_job.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "cli/version.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
    DatasetOptions options;
};

int make(Arguments& arguments) {
    DatasetOptions& options = arguments.options;
    std::vector<std::string> notes;
    options.config = load_dataset_config(arguments.config, arguments.overrides, &notes);
    for (const std::string& note : notes) log_info("{}", note);
    install_stop_signals();
    const DatasetOutcome outcome = run_dataset_job(options, [] { return stop_requested() != 0; });
    if (options.json) print_result(outcome.result);
    return outcome.exit_code;
}

}  // namespace

void add_dataset(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Arguments>();
    arguments->options.command_line = command_line;
    arguments->options.versions = version_map();
    Command& command =
        temper.command("dataset", "Makes rows for sft or dpo from the chunks of a store, by a model behind an OpenAI-compatible endpoint.");
    command.positional("CONFIG.yaml", arguments->config, "Configuration; docs/dataset.md shows one.");
    command.positionals("key=value", arguments->overrides, "Settings that win over the file's.");
    command.choice("--resume", arguments->options.resume, {"auto", "no"},
                   "auto (default) continues the newest run of this run_name, configuration and store, in place, and asks nothing twice; no asks "
                   "everything anew.");
    add_record_arguments(command, arguments->options);
    command.flag("--json", arguments->options.json, "One object as the last line of stdout: run_id, run_dir, status, metrics.");
    command.footer([] { return dataset_help(); });
    command.runs([arguments] { return make(*arguments); });
}

}  // namespace temper
