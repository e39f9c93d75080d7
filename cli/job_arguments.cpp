#include "cli/job_arguments.h"

#include <filesystem>

#include "cli/command.h"
#include "cli/version.h"
#include "kernels/error.h"

namespace temper {

void set_up_job(JobOptions& options, const std::string& run_name, const std::vector<std::string>& command_line) {
    options.run_name = run_name;
    options.output_dir = default_output_dir();
    options.command_line = command_line;
    options.versions = version_map();
}

void check_model_is_there(const std::string& model, const std::string& adapter) {
    if (!std::filesystem::exists(model))
        throw_error(ExitCode::missing_input, "model '{}' does not exist: give a Hugging Face directory or a .gguf file", model);
    if (!adapter.empty() && !std::filesystem::exists(adapter))
        throw_error(ExitCode::missing_input, "adapter '{}' does not exist: give the directory of a PEFT adapter", adapter);
}

void check_file_is_there(const std::string& option, const std::string& path) {
    if (!std::filesystem::exists(path)) throw_error(ExitCode::missing_input, "{} {}: there is no such file", option, path);
}

void add_record_arguments(Command& command, RecordOptions& options) {
    command.option("--parent", options.parent, "RUN", "Id or directory of the run that this one is a stage of; else TEMPER_PARENT_RUN_ID.");
    command.options("--tag", options.tags, "NAME=VALUE", "Tag of the run; may be given several times.");
    command.option("--price-table", options.price_table, "FILE", "Prices that give the record's cost (docs/runs.md); else TEMPER_PRICE_TABLE.");
}

void add_run_arguments(Command& command, JobOptions& options) {
    command.option("--output-dir", options.output_dir, "DIR", "Where the run's directory with its record is made.");
    command.option("--run-name", options.run_name, "NAME", "A part of the run directory's name.");
    add_record_arguments(command, options);
}

void add_job_arguments(Command& command, JobOptions& options) {
    add_run_arguments(command, options);
    command.choice("--resume", options.resume, {"auto", "no"}, "auto: goes on with a run of the same input, model and settings that was stopped.");
    command.option("--threads", options.threads, "N", "Of a rank; 0: OMP_NUM_THREADS, or its share of the cores.");
    command.option("--device", options.device, "NAME", "Where to compute: auto, cpu, cuda.");
    command.option("--isa", options.isa, "NAME", "Instruction set of the kernels: auto, scalar, avx2, avx512, avx512_bf16, amx.");
    command.flag("--json", options.json, "One object as the last line of stdout: run_id, run_dir, status, metrics.");
}

}  // namespace temper
