// temper runs compare and temper runs report.
#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "cli/runs_commands.h"
#include "io/durable.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/comparison.h"
#include "runs/comparison_text.h"
#include "runs/metrics_journal.h"
#include "runs/report.h"

namespace temper {
namespace {

struct Arguments {
    std::string output_dir = default_output_dir(), a, b, report;
    std::int64_t resamples = 10000, examples = 3, seed = 12345;
    bool json = false;

    ComparisonOptions options() const {
        if (resamples < 1 || examples < 0 || seed < 0)
            throw_error(ExitCode::usage, "--resamples: expected at least 1; --examples and --seed: no negative number");
        ComparisonOptions made;
        made.resamples = resamples;
        made.examples = examples;
        made.seed = static_cast<std::uint64_t>(seed);
        return made;
    }
};

std::vector<Json> metrics_of(const ListedRun& run) {
    const std::filesystem::path path = run.path / "metrics.jsonl";
    return std::filesystem::exists(path) ? MetricsJournal::read_all(path) : std::vector<Json>();
}

int compare(const Arguments& arguments) {
    const ListedRun a = find_run(arguments.output_dir, arguments.a), b = find_run(arguments.output_dir, arguments.b);
    const Json comparison = compare_runs(a, b, arguments.options());
    if (!arguments.report.empty()) {
        write_durable(arguments.report, comparison_page(comparison, metrics_of(a), metrics_of(b)));
        log_info("wrote {}", arguments.report);
    }
    if (arguments.json) {
        Json result{{"status", "done"}};
        result.update(comparison);
        print_result(result);
    } else {
        const std::string text = comparison_text(comparison);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    return 0;
}

int report(const Arguments& arguments) {
    const ListedRun run = find_run(arguments.output_dir, arguments.b);
    std::string extra;
    if (!arguments.a.empty()) {
        const ListedRun base = find_run(arguments.output_dir, arguments.a);
        extra = comparison_html(compare_runs(base, run, arguments.options()), metrics_of(base), metrics_of(run));
    }
    write_report(run.path, extra);
    const std::string path = (run.path / "report.html").string();
    if (arguments.json) print_result(Json{{"status", "done"}, {"run_id", run.path.filename().string()}, {"report", path}});
    else std::printf("%s\n", path.c_str());
    return 0;
}

}  // namespace

void add_runs_compare(Command& runs) {
    auto arguments = std::make_shared<Arguments>();
    Command& compare_command =
        runs.command("compare", "Which of two runs is better, on what, by how much and how certainly; and what differs between them.");
    compare_command.positional("A", arguments->a,
                               "The run compared with: path, id, or a part of the id. Of a training run, the evaluation of its adapter counts.");
    compare_command.positional("B", arguments->b, "The other run.");
    compare_command.option("--report", arguments->report, "FILE", "Writes the comparison as one self-contained page (HTML), too.");
    Command& report_command = runs.command("report", "Writes report.html of a run: curves, scores, stages, and beside another run.");
    report_command.positional("RUN", arguments->b, "Path, id, or a part of the id.");
    report_command.option("--baseline", arguments->a, "RUN", "A run to compare with.");
    for (Command* command : {&compare_command, &report_command}) {
        command->option("--resamples", arguments->resamples, "N", "Resamples of the paired bootstrap.");
        command->option("--seed", arguments->seed, "N", "Of the resamples.");
        command->option("--examples", arguments->examples, "N", "Rows of data shown of each kind of difference.");
        command->option("--output-dir", arguments->output_dir, "DIR", "Where the runs lie.");
        command->flag("--json", arguments->json, "One object as the last line of stdout.");
    }
    compare_command.runs([arguments] { return compare(*arguments); });
    report_command.runs([arguments] { return report(*arguments); });
}

}  // namespace temper
