// temper runs sync: what trackers have missed.
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/default_places.h"
#include "runs/run_list.h"
#include "runs/trackers/sync.h"

namespace temper {
namespace {

struct Arguments {
    std::string output_dir = default_output_dir();
    std::vector<std::string> runs, report_to;
    double seconds = 300;
    bool all = false, json = false;
};

Json result_json(const ListedRun& run, const std::vector<SyncResult>& results) {
    Json trackers = Json::object();
    for (const SyncResult& result : results) {
        trackers[result.tracker] = {{"complete", result.complete}, {"where", result.where}};
        if (!result.complete) trackers[result.tracker]["problem"] = result.problem;
    }
    return {{"run_id", run.path.filename().string()}, {"run_dir", run.path.string()}, {"trackers", trackers}};
}

int sync(const Arguments& arguments) {
    if (arguments.all == !arguments.runs.empty()) throw_error(ExitCode::usage, "runs sync: name runs, or --all");
    std::vector<ListedRun> runs;
    if (arguments.all) runs = list_runs(arguments.output_dir, [](const std::string& text) { console().line("temper: " + text); });
    for (const std::string& name : arguments.runs) runs.push_back(find_run(arguments.output_dir, name));
    TrackingSettings settings;
    if (!arguments.report_to.empty()) settings.report_to = arguments.report_to;
    Json summaries = Json::array();
    std::size_t incomplete = 0;
    for (const ListedRun& run : runs) {
        const std::string id = run.path.filename().string();
        try {
            const std::vector<SyncResult> results = sync_run(run.path, settings, arguments.seconds);
            for (const SyncResult& result : results) {
                std::printf("%s  %-11s  %s\n", id.c_str(), result.tracker.c_str(), result.complete ? result.where.c_str() : result.problem.c_str());
                incomplete += result.complete ? 0 : 1;
            }
            if (results.empty() && !arguments.all)
                throw_error(ExitCode::usage, "{}: it was reported to no tracker, and none is chosen: set MLFLOW_TRACKING_URI, or --report-to", id);
            summaries.push_back(result_json(run, results));
        } catch (const Error& error) {
            if (error.code() != ExitCode::run_locked || !arguments.all) throw;
            log_info("{}", error.what());  // a run that still runs, among all
        }
    }
    if (arguments.json) print_result(Json{{"status", incomplete == 0 ? "done" : "incomplete"}, {"runs", summaries}});
    return incomplete == 0 ? 0 : static_cast<int>(ExitCode::io_error);
}

}  // namespace

void add_runs_sync(Command& runs) {
    auto arguments = std::make_shared<Arguments>();
    Command& command =
        runs.command("sync", "Sends what MLflow, ClearML, TensorBoard or an OTLP collector has missed of runs; what is there is not sent again.");
    command.positionals("RUN", arguments->runs, "Paths, ids, or parts of ids that only one run has.");
    command.flag("--all", arguments->all, "Every run under the output directory that is not running.");
    command.options("--report-to", arguments->report_to, "NAME",
                    "A tracker, beside those that the run was reported to: mlflow, clearml, tensorboard, otlp.");
    command.option("--seconds", arguments->seconds, "S", "Time for each tracker of a run.");
    command.option("--output-dir", arguments->output_dir, "DIR", "Where the runs lie.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return sync(*arguments); });
}

}  // namespace temper
