#include "model/convert.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"

namespace temper {
namespace {

struct Convert {
    std::string model, output, type;
    bool json = false;
};

struct Merge {
    std::string model, adapter, output, type, probe;
    std::int64_t threads = 0;
    bool json = false;
};

int finish(const Json& result, bool json) {
    log_info("wrote {}", result["output"].get<std::string>());
    if (json) print_result(result);
    return 0;
}

int merge(const Merge& arguments) {
    MergeSettings settings;
    settings.type = arguments.type;
    settings.probe_text = arguments.probe;
    settings.threads = resolve_threads(arguments.threads);
    const ProbeResult probe = merge_adapter(arguments.model, arguments.adapter, arguments.output, settings);
    log_info("probe: {} logits differ by at most {:.6g} from base and adapter; storing the weights explains {:.6g}", probe.logits, probe.largest,
             probe.bound);
    return finish({{"status", "done"}, {"output", arguments.output}, {"largest_difference", probe.largest}, {"bound", probe.bound}}, arguments.json);
}

}  // namespace

void add_convert(Command& temper) {
    auto arguments = std::make_shared<Convert>();
    Command& command = temper.command("convert", "Writes a GGUF file as a Hugging Face directory, or a model as a GGUF file.");
    command.positional("MODEL", arguments->model, "A .gguf file, or a Hugging Face directory.");
    command.required("--output", arguments->output, "PATH", "A directory, or a file that ends in .gguf; it must not exist.");
    command.option("--type", arguments->type, "TYPE", "F32, F16, BF16 or Q8_0 of a .gguf file (F16); F32 or BF16 of a directory (BF16).");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] {
        convert_model(arguments->model, arguments->output, arguments->type);
        return finish({{"status", "done"}, {"output", arguments->output}}, arguments->json);
    });
}

void add_merge(Command& temper) {
    auto arguments = std::make_shared<Merge>();
    Command& command = temper.command("merge", "Writes a model with its adapter merged into the weights, and checks its logits.");
    command.required("--model", arguments->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.required("--adapter", arguments->adapter, "DIR", "PEFT adapter directory.");
    command.required("--output", arguments->output, "PATH", "A directory, or a file that ends in .gguf; it must not exist.");
    command.option("--type", arguments->type, "TYPE", "As of convert; a directory is written in F32 where the base is stored so.");
    command.option("--probe", arguments->probe, "FILE", "Lines of text whose logits are compared; left out: four fixed texts.");
    command.option("--threads", arguments->threads, "N", "0: OMP_NUM_THREADS, or the cores allowed.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return merge(*arguments); });
}

}  // namespace temper
