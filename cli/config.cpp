#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/config_import.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/result_line.h"

namespace temper {
namespace {

struct Show {
    ConfigArguments config;
    std::string kind = "sft";
    bool json = false;
};

int show(const Show& arguments) {
    ConfigNotes notes;
    const Config config = arguments.config.load(arguments.kind == "dpo" ? TrainKind::dpo : TrainKind::sft, notes);
    for (const std::string& note : notes.notes) log_info("{}", note);
    if (arguments.json) {
        print_result(Json{{"status", "done"}, {"config_hash", config_hash(config)}, {"config", config_json(config)}});
    } else {
        std::fputs(config_yaml(config).c_str(), stdout);
    }
    return 0;
}

struct Schema {
    bool markdown = false, json = false;
};

int schema(const Schema& arguments) {
    if (arguments.json) {
        print_result(config_schema());
    } else {
        std::fputs((arguments.markdown ? config_markdown() : config_schema().dump(2) + "\n").c_str(), stdout);
    }
    return 0;
}

}  // namespace

void add_config(Command& temper) {
    Command& config =
        temper.command("config", "Shows settings as a configuration resolves or as they are declared; imports those of TRL and Axolotl.");

    auto shown = std::make_shared<Show>();
    Command& show_command = config.command("show", "Prints the resolved configuration as YAML: defaults, file, environment and key=value.");
    shown->config.add_to(show_command);
    show_command.choice("--for", shown->kind, {"sft", "dpo"}, "The command that it is resolved for.");
    show_command.flag("--json", shown->json, "One object with config_hash and config instead.");
    show_command.footer([] { return config_help(); });
    show_command.runs([shown] { return show(*shown); });

    auto declared = std::make_shared<Schema>();
    Command& schema_command = config.command("schema", "Prints the JSON Schema of a configuration, for editors.");
    schema_command.flag("--markdown", declared->markdown, "The reference page, docs/config.md, instead.");
    schema_command.flag("--json", declared->json, "The schema on one line.");
    schema_command.runs([declared] { return schema(*declared); });

    add_config_import(config);
}

}  // namespace temper
