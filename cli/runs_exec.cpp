// temper runs exec and temper runs log: steps that are no temper commands write records, too.
#include <charconv>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "cli/runs_commands.h"
#include "io/durable.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/foreign_step.h"
#include "runs/metrics_journal.h"
#include "runs/record_log.h"
#include "runs/run_list.h"

namespace temper {
namespace {

struct LogArguments {
    std::string output_dir = default_output_dir(), run;
    std::vector<std::string> entries;
    std::int64_t step = -1;
    bool json = false;
};

std::optional<double> number_of(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

Json artifact_of(const std::filesystem::path& run, const std::string& role, const std::string& file) {
    if (!std::filesystem::is_regular_file(file)) throw_error(ExitCode::missing_input, "artifacts.{}: {}: no such file", role, file);
    const std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
    const std::filesystem::path inside = path.lexically_relative(std::filesystem::absolute(run).lexically_normal());
    const bool relative = !inside.empty() && *inside.begin() != "..";
    return {
        {"path", (relative ? inside : path).string()}, {"role", role}, {"sha256", sha256_file(path)}, {"bytes", std::filesystem::file_size(path)}};
}

// "metrics.loss=0.3" into {"metrics": {"loss": 0.3}}; without a section a number is a metric and anything else a parameter.
void add_entry(Json& entry, const std::filesystem::path& run, const std::string& text) {
    const auto [key, value] = name_and_value(text, "runs log");
    const std::size_t dot = key.find('.');
    const std::string section = dot == std::string::npos ? "" : key.substr(0, dot), name = key.substr(dot + 1);
    const std::optional<double> number = number_of(value);
    if (section == "metrics" && !number) throw_error(ExitCode::usage, "runs log: {}: expected a number, found \"{}\"", key, value);
    if (section == "metrics") entry["metrics"][name] = *number;
    else if (section == "tags") entry["tags"][name] = value;
    else if (section == "artifacts") entry["artifacts"].push_back(artifact_of(run, name, value));
    else if (section == "params") entry["params"][name] = number ? Json(*number) : Json(value);
    else if (number) entry["metrics"][key] = *number;
    else entry["params"][key] = value;
}

int log(const LogArguments& arguments) {
    const ListedRun run = find_run(arguments.output_dir, arguments.run);
    Json entry = Json::object();
    for (const std::string& text : arguments.entries) add_entry(entry, run.path, text);
    if (entry.empty()) throw_error(ExitCode::usage, "runs log: nothing to log, expected name=value ...");
    if (arguments.step >= 0) {
        if (run.record.value("kind", "") != "exec")
            throw_error(ExitCode::usage, "runs log: --step: {} keeps its own curves; steps are logged to runs of temper runs exec",
                        run.path.string());
        Json row{{"step", arguments.step}};
        if (entry.contains("metrics")) row.update(entry["metrics"]);
        const RecordLock lock(run.path);
        MetricsJournal journal(run.path / "metrics.jsonl");
        journal.append(row);
        journal.sync();
    }
    {
        const RecordLock lock(run.path);
        append_logged(run.path, entry);
    }
    RunRecord::fold_into(run.path);
    if (arguments.json) print_result(Json{{"status", "done"}, {"run_id", run.path.filename().string()}, {"logged", entry}});
    return 0;
}

}  // namespace

void add_runs_exec(Command& runs, const std::vector<std::string>& command_line) {
    auto step = std::make_shared<StepOptions>();
    set_up_job(*step, "step", command_line);
    step->kind = "exec";
    step->resume = "no";
    Command& exec = runs.command("exec", "Runs any program as a step with a record: temper runs exec [options] -- CMD ARGS...");
    exec.option("--name", step->run_name, "NAME", "A part of the run directory's name.");
    exec.option("--output-dir", step->output_dir, "DIR", "Where the run's directory with its record is made.");
    exec.choice("--resume", step->resume, {"no", "auto"}, "auto: a step of this name and command that is finished is not run again.");
    add_record_arguments(exec, *step);
    exec.flag("--json", step->json, "One object as the last line of stdout: run_id, run_dir, status, metrics.");
    exec.positionals("CMD", step->words, "The program and its arguments, behind --.");
    exec.runs([step] {
        const StepEnd end = run_foreign_step(*step);
        if (step->json) print_result(end.result);
        return end.exit_code;
    });

    auto arguments = std::make_shared<LogArguments>();
    Command& log_command = runs.command("log", "Adds metrics, params, tags and artifacts to a run's record, from scripts.");
    log_command.positional("RUN", arguments->run, "Path, id, or a part of the id; within runs exec \"$TEMPER_RUN_DIR\".");
    log_command.positionals("NAME=VALUE", arguments->entries,
                            "metrics.loss=0.3, params.beta=0.1, tags.outcome=success, artifacts.report=FILE; without a section a number is a metric, "
                            "anything else a parameter.");
    log_command.option("--step", arguments->step, "N", "Metrics also as a row of the run's curves; of runs made by runs exec.");
    log_command.option("--output-dir", arguments->output_dir, "DIR", "Where the runs lie.");
    log_command.flag("--json", arguments->json, "One object as the last line of stdout.");
    log_command.runs([arguments] { return log(*arguments); });
}

}  // namespace temper
