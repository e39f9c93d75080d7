#include "cli/job_arguments.h"

#include "cli/command.h"
#include "cli/version.h"

namespace temper {

void set_up_job(JobOptions& options, const std::string& run_name, const std::vector<std::string>& command_line) {
    options.run_name = run_name;
    options.command_line = command_line;
    options.versions = version_map();
}

void add_job_arguments(Command& command, JobOptions& options) {
    command.option("--output-dir", options.output_dir, "DIR", "Where the run's directory with its record is made.");
    command.option("--run-name", options.run_name, "NAME", "A part of the run directory's name.");
    command.choice("--resume", options.resume, {"auto", "no"}, "auto: goes on with a run of the same input, model and settings that was stopped.");
    command.option("--threads", options.threads, "N", "Of a rank; 0: OMP_NUM_THREADS, or the cores allowed.");
    command.option("--device", options.device, "NAME", "Where to compute: auto, cpu, cuda.");
    command.option("--isa", options.isa, "NAME", "Instruction set of the kernels: auto, avx2, avx512, avx512_bf16, amx.");
    command.flag("--json", options.json, "One object as the last line of stdout: run_id, run_dir, status, metrics.");
}

}  // namespace temper
