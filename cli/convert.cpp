#include "model/convert.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/jsonl.h"
#include "io/log.h"

namespace temper {
namespace {

struct Convert {
    std::string gguf, output;
    bool json = false;
};

struct Merge {
    std::string model, adapter, output;
    bool json = false;
};

int finish(const std::string& output, bool json) {
    log_info("wrote {}", output);
    if (json) print_result(Json{{"status", "done"}, {"output", output}});
    return 0;
}

}  // namespace

void add_convert(Command& temper) {
    auto arguments = std::make_shared<Convert>();
    Command& command = temper.command("convert", "Writes a GGUF file as a Hugging Face directory in bfloat16.");
    command.positional("FILE.gguf", arguments->gguf, "The file to read.");
    command.required("--output", arguments->output, "DIR", "Directory to write; it must not exist.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] {
        convert_gguf(arguments->gguf, arguments->output);
        return finish(arguments->output, arguments->json);
    });
}

void add_merge(Command& temper) {
    auto arguments = std::make_shared<Merge>();
    Command& command = temper.command("merge", "Writes a model with its adapter merged into the weights.");
    command.required("--model", arguments->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.required("--adapter", arguments->adapter, "DIR", "PEFT adapter directory.");
    command.required("--output", arguments->output, "DIR", "Directory to write; it must not exist.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] {
        merge_adapter(arguments->model, arguments->adapter, arguments->output);
        return finish(arguments->output, arguments->json);
    });
}

}  // namespace temper
