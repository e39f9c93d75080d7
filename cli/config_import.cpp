// `temper config import`: the configuration of TRL or Axolotl in our terms, with what became of each of its keys.
#include "train/config_import.h"

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/config_import.h"
#include "io/durable.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Arguments {
    std::vector<std::string> words;
    std::string output, leave_out;
    ImportOptions options;
    bool json = false;
};

// What ends the command is an error.
LogLevel level_of(ImportItem::Kind kind) {
    if (kind == ImportItem::Kind::unsupported) return LogLevel::error;
    return kind == ImportItem::Kind::to_do ? LogLevel::warning : LogLevel::info;
}

std::string line_of(const ImportItem& item) {
    std::string text = item.where.empty() ? "" : item.where + ": ";
    text += item.key.empty() ? item.target : item.key;
    if (item.kind == ImportItem::Kind::mapped || (item.kind == ImportItem::Kind::changed && !item.target.empty())) text += " -> " + item.target;
    if (!item.reason.empty()) text += ": " + item.reason;
    return fmt::format("{:<12}{}", name_of(item.kind), text);
}

Json to_json(const ImportResult& result, const std::string& output) {
    Json items = Json::array();
    for (const ImportItem& item : result.items)
        items.push_back({{"kind", name_of(item.kind)}, {"key", item.key}, {"where", item.where}, {"target", item.target}, {"reason", item.reason}});
    Json object{{"status", result.complete() ? "done" : "unsupported"},
                {"source", result.source},
                {"for", result.kind == TrainKind::dpo ? "dpo" : "sft"},
                {"items", items},
                {"config", result.config}};
    if (!output.empty() && result.complete()) object["output"] = output;
    return object;
}

std::string unsupported_keys(const ImportResult& result) {
    std::string keys;
    for (const ImportItem& item : result.items)
        if (item.kind == ImportItem::Kind::unsupported) keys += (keys.empty() ? "" : ",") + item.key;
    return keys;
}

int import_file(Arguments& arguments) {
    std::string file;
    for (const std::string& word : arguments.words) {
        if (file.empty() && word.find('=') == std::string::npos) file = word;
        else arguments.options.overrides.push_back(word);
    }
    if (file.empty()) throw_error(ExitCode::usage, "no configuration is given, expected FILE.yaml of TRL or Axolotl");
    if (arguments.options.gpus < 1) throw_error(ExitCode::usage, "--gpus: expected a number of at least 1, found {}", arguments.options.gpus);
    for (std::size_t begin = 0; begin < arguments.leave_out.size();) {
        const std::size_t end = std::min(arguments.leave_out.find(',', begin), arguments.leave_out.size());
        arguments.options.leave_out.push_back(arguments.leave_out.substr(begin, end - begin));
        begin = end + 1;
    }
    const ImportResult result = import_config(read_file(file, std::size_t(1) << 20), file, arguments.options);
    for (const ImportItem& item : result.items) log_line(level_of(item.kind), line_of(item));
    const bool complete = result.complete();
    if (complete && !arguments.output.empty()) {
        write_durable(arguments.output, result.yaml);
        log_info("wrote {}", arguments.output);
    }
    if (arguments.json) print_result(to_json(result, arguments.output));
    else if (complete && arguments.output.empty()) std::fputs(result.yaml.c_str(), stdout);
    if (complete) return 0;
    log_line(LogLevel::error, fmt::format("{}: nothing is written, for what is unsupported would change the result; --leave-out {} does without it",
                                          file, unsupported_keys(result)));
    return static_cast<int>(ExitCode::usage);
}

}  // namespace

void add_config_import(Command& config) {
    auto arguments = std::make_shared<Arguments>();
    Command& command = config.command("import", "Turns a configuration of TRL or Axolotl into one of ours, and says what became of each key.");
    command.positionals("FILE.yaml [key=value ...] [NAME=PATH ...]", arguments->words,
                        "The configuration; settings of ours that go before its own; files or directories in place of data sets that it names.");
    command.option("--output", arguments->output, "ours.yaml", "Where to write it; without it on stdout.");
    command.option("--gpus", arguments->options.gpus, "N", "Data-parallel processes that the file was run on: a factor of global_batch_size.");
    command.choice("--from", arguments->options.from, {"auto", "trl", "axolotl"}, "Whose configuration it is.");
    command.choice("--for", arguments->options.trainer, {"auto", "sft", "dpo"}, "Which trainer of theirs it is for; auto goes by its keys.");
    command.option("--leave-out", arguments->leave_out, "KEY,...", "Keys that are not supported and are done without. Any other one ends with 2.");
    command.flag("--json", arguments->json, "One object as the last line of stdout: items, config.");
    command.runs([arguments] { return import_file(*arguments); });
}

}  // namespace temper
