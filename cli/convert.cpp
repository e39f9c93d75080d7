#include "model/convert.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/result_line.h"
#include "runs/job_record.h"

namespace temper {
namespace {

struct Convert : JobOptions {
    std::string model, output, type;
};

struct Merge : JobOptions {
    std::string model, adapter, output, type, probe;
};

int finish(const std::string& output, const Json& figures, const Json& job, bool json) {
    log_info("wrote {}", output);
    Json result{{"status", "done"}, {"output", output}};
    result.update(figures);
    for (const char* name : {"run_id", "run_dir"}) result[name] = job.at(name);
    if (json) print_result(result);
    return 0;
}

RunEnvironment on_cpu(int threads) {
    RunEnvironment environment;
    environment.isa = name_of(best_isa());
    environment.device = "cpu";
    environment.threads = threads;
    return environment;
}

int convert(const Convert& arguments) {
    check_model_is_there(arguments.model, {});
    const Json config{{"model", arguments.model}, {"output", arguments.output}, {"type", arguments.type}};
    const Json job = run_recorded(arguments, config, on_cpu(1), [&](JobRecord& record, RunPerformance&) {
        convert_model(arguments.model, arguments.output, arguments.type);
        record.add_output("model", arguments.output);
        return Json::object();
    });
    return finish(arguments.output, Json::object(), job, arguments.json);
}

int merge(const Merge& arguments) {
    check_model_is_there(arguments.model, arguments.adapter);
    MergeSettings settings;
    settings.type = arguments.type;
    settings.probe_text = arguments.probe;
    settings.threads = resolve_threads(arguments.threads);
    const Json config{{"model", arguments.model}, {"adapter", arguments.adapter}, {"output", arguments.output}, {"type", arguments.type}};
    ProbeResult probe;
    const Json job = run_recorded(arguments, config, on_cpu(settings.threads), [&](JobRecord& record, RunPerformance&) {
        probe = merge_adapter(arguments.model, arguments.adapter, arguments.output, settings);
        record.add_output("model", arguments.output);
        return Json{{"largest_difference", probe.largest}, {"bound", probe.bound}};
    });
    log_info("probe: {} logits differ by at most {:.6g} from base and adapter; storing the weights explains {:.6g}", probe.logits, probe.largest,
             probe.bound);
    return finish(arguments.output, {{"largest_difference", probe.largest}, {"bound", probe.bound}}, job, arguments.json);
}

}  // namespace

void add_convert(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Convert>();
    set_up_job(*arguments, "convert", command_line);
    Command& command = temper.command("convert", "Writes a GGUF file as a Hugging Face directory, or a model as a GGUF file.");
    command.positional("MODEL", arguments->model, "A .gguf file, or a Hugging Face directory.");
    command.required("--output", arguments->output, "PATH", "A directory, or a file that ends in .gguf; it must not exist.");
    command.option("--type", arguments->type, "TYPE", "F32, F16, BF16 or Q8_0 of a .gguf file (F16); F32 or BF16 of a directory (BF16).");
    add_run_arguments(command, *arguments);
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return convert(*arguments); });
}

void add_merge(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Merge>();
    set_up_job(*arguments, "merge", command_line);
    Command& command = temper.command("merge", "Writes a model with its adapter merged into the weights, and checks its logits.");
    command.required("--model", arguments->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.required("--adapter", arguments->adapter, "DIR", "PEFT adapter directory.");
    command.required("--output", arguments->output, "PATH", "A directory, or a file that ends in .gguf; it must not exist.");
    command.option("--type", arguments->type, "TYPE", "As of convert; a directory is written in F32 where the base is stored so.");
    command.option("--probe", arguments->probe, "FILE", "Lines of text whose logits are compared; left out: four fixed texts.");
    command.option("--threads", arguments->threads, "N", "0: OMP_NUM_THREADS, or the cores allowed.");
    add_run_arguments(command, *arguments);
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return merge(*arguments); });
}

}  // namespace temper
