// temper runs: what lies under an output directory, and one run's record.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/log.h"
#include "runs/run_list.h"

namespace temper {
namespace {

struct Arguments {
    std::string output_dir = "runs", run;
    bool json = false;
};

// "loss 0.1234", of the first of these metrics that the run has.
std::string result_of(const Json& record) {
    if (!record.contains("metrics") || !record["metrics"].is_object()) return "";
    for (const char* name : {"eval_loss", "loss"}) {
        if (const auto value = record["metrics"].find(name); value != record["metrics"].end() && value->is_number()) {
            return fmt::format("{} {:.4g}", name, value->get<double>());
        }
    }
    return "";
}

Json summary_of(const ListedRun& run) {
    Json summary{{"run_id", run.path.filename().string()}, {"run_dir", run.path.string()}, {"status", run.status}};
    for (const char* name : {"run_name", "created_at", "config_hash", "metrics"}) summary[name] = run.record.value(name, Json());
    return summary;
}

int list(const Arguments& arguments) {
    const std::vector<ListedRun> runs = list_runs(arguments.output_dir, [](const std::string& text) { console().line("temper: " + text); });
    Json summaries = Json::array();
    std::size_t width = 0;
    for (const ListedRun& run : runs) width = std::max(width, run.path.filename().string().size());
    for (const ListedRun& run : runs) {
        std::printf("%-*s  %-11s  %s\n", static_cast<int>(width), run.path.filename().c_str(), run.status.c_str(), result_of(run.record).c_str());
        summaries.push_back(summary_of(run));
    }
    if (arguments.json) print_result(Json{{"status", "done"}, {"runs", summaries}});
    return 0;
}

void print_pairs(const Json& object, const std::string& indent) {
    for (const auto& [name, value] : object.items()) {
        if (value.is_object() && !value.empty()) {
            std::printf("%s%s:\n", indent.c_str(), name.c_str());
            print_pairs(value, indent + "  ");
        } else {
            const std::string text = value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
            std::printf("%s%s: %s\n", indent.c_str(), name.c_str(), text.c_str());
        }
    }
}

int show(const Arguments& arguments) {
    const ListedRun run = find_run(arguments.output_dir, arguments.run);
    if (arguments.json) {
        Json result = run.record;
        result["status"] = run.status;
        result["run_dir"] = run.path.string();
        print_result(result);
        return 0;
    }
    std::printf("%s\n", run.path.c_str());
    Json shown = run.record;
    shown["status"] = run.status;
    print_pairs(shown, "  ");
    return 0;
}

}  // namespace

void add_runs(Command& temper) {
    auto arguments = std::make_shared<Arguments>();
    Command& runs = temper.command("runs", "Lists runs and shows their records.");
    Command& list_command = runs.command("list", "Runs under an output directory, oldest first.");
    Command& show_command = runs.command("show", "The record of one run.");
    show_command.positional("RUN", arguments->run, "Path, id, or a part of the id that only one run has.");
    add_runs_sync(runs);
    for (Command* command : {&list_command, &show_command}) {
        command->option("--output-dir", arguments->output_dir, "DIR", "Where the runs lie.");
        command->flag("--json", arguments->json, "One object as the last line of stdout.");
    }
    list_command.runs([arguments] { return list(*arguments); });
    show_command.runs([arguments] { return show(*arguments); });
}

}  // namespace temper
