#include "train/training_job.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/job_arguments.h"
#include "cli/version.h"
#include "io/log.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Arguments {
    ConfigArguments config;
    std::string resume;
    TrainingOptions options;
};

int train(Arguments& arguments) {
    ConfigNotes notes;
    TrainingOptions& options = arguments.options;
    options.config = arguments.config.load(options.kind, notes);
    for (const std::string& note : notes.notes) log_info("{}", note);
    if (!arguments.resume.empty()) {
        options.resume = arguments.resume;
    } else if (notes.resume) {
        options.resume = *notes.resume;
    }
    return run_training_job(options);
}

void add(Command& temper, const char* name, const char* help, TrainKind kind, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Arguments>();
    arguments->options.kind = kind;
    arguments->options.command_line = command_line;
    arguments->options.versions = version_map();
    Command& command = temper.command(name, help);
    arguments->config.add_to(command);
    command.option("--resume", arguments->resume, "auto|no|PATH",
                   "auto continues the newest run of this run_name and configuration, in place; PATH continues that run directory or "
                   "checkpoint; no (default) starts a new run.");
    add_record_arguments(command, arguments->options);
    command.flag("--dry-run", arguments->options.dry_run, "Prints the data report and the memory plan, then stops.");
    command.flag("--json", arguments->options.json, "One object as the last line of stdout: run_id, run_dir, status, metrics.");
    command.footer([] { return config_help(); });
    command.runs([arguments] { return train(*arguments); });
}

}  // namespace

void add_training(Command& temper, const std::vector<std::string>& command_line) {
    add(temper, "sft", "Fine-tunes a model on supervised rows; run alone, under mpirun, or in a Slurm job.", TrainKind::sft, command_line);
    add(temper, "dpo", "Tunes a model on preferred and rejected answers; run alone, under mpirun, or in a Slurm job.", TrainKind::dpo, command_line);
}

}  // namespace temper
