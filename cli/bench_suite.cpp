// `temper bench suite`: fixed workloads against another build, unit by unit in turns, or against an earlier run's file.
#include "cli/bench_suite.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

#include <unistd.h>

#include "cli/bench_worker.h"
#include "cli/bench_workloads.h"
#include "cli/commands.h"
#include "io/durable.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/time_ratios.h"

namespace temper {
namespace {

constexpr int history_format = 1;

struct Arguments {
    std::string baseline, workloads, output;
    std::int64_t rounds = 4, pairs = 10, threads = 0;
    double threshold = 0.05, slow_down = 0.0;
    bool json = false;
};

// The times of one workload, a list a round. cost is seconds times the peak measured beside them: work in units of this processor's
// speed, which is what a history can compare.
struct Times {
    std::vector<std::vector<double>> seconds, cost, ratios;
    std::optional<double> figure, baseline_figure;
};

std::vector<std::string> chosen_workloads(const std::string& list) {
    if (list.empty()) return workload_names();
    std::vector<std::string> names;
    for (std::size_t begin = 0; begin <= list.size();) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        names.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    const std::vector<std::string> known = workload_names();
    for (const std::string& name : names)
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw_error(ExitCode::usage, "--workloads: found '{}', expected some of {}", name, fmt::join(known, ", "));
    return names;
}

class Suite {
  public:
    explicit Suite(const Arguments& arguments) : a_(arguments), threads_(resolve_threads(arguments.threads)) {
        if (a_.rounds < 1 || a_.pairs < 1 || !(a_.threshold > 0.0) || a_.threads < 0)
            throw_error(ExitCode::usage, "bench suite: --rounds, --pairs and --threshold must be positive, --threads not negative");
        if (!a_.baseline.empty() && a_.rounds * a_.pairs < 10)
            throw_error(ExitCode::usage, "bench suite: --rounds times --pairs is {}: fewer than 10 pairs bound nothing", a_.rounds * a_.pairs);
        if (a_.baseline.empty()) return;
        if (!std::filesystem::is_regular_file(a_.baseline))
            throw_error(ExitCode::missing_input, "--baseline: {} is no file: expected a temper program or the --output of an earlier suite",
                        a_.baseline);
        if (::access(a_.baseline.c_str(), X_OK) == 0) program_ = std::filesystem::absolute(a_.baseline).string();
        else read_history();
    }

    int run() {
        Json report{{"format", history_format}, {"machine", machine()}, {"workloads", Json::object()}};
        bool slower = false;
        const std::vector<std::string> names = chosen_workloads(a_.workloads);
        std::printf("%-10s %12s %12s %8s   %-17s %s\n", "workload", "ms", a_.baseline.empty() ? "" : "baseline ms", "ratio", "99.8% bounds",
                    "verdict");
        for (const std::string& name : names) {
            const Times times = measure(name);
            Json& entry = report["workloads"][name];
            entry = {{"seconds", times.seconds}, {"cost", times.cost}, {"figure", *times.figure}};
            slower = judge(name, times, entry) || slower;
        }
        if (!a_.output.empty()) write_durable(a_.output, report.dump() + "\n");
        if (a_.json) print_result(summary(report, slower));
        return slower ? static_cast<int>(ExitCode::gate_failed) : 0;
    }

  private:
    Json machine() const { return {{"cpu", cpu_name()}, {"isa", name_of(best_isa())}, {"threads", threads_}}; }

    void read_history() {
        history_ = parse_json(read_file(a_.baseline), a_.baseline, {});
        if (!history_.is_object() || history_.value("format", Json()) != history_format || !history_.contains("workloads") ||
            !history_.contains("machine"))
            throw_error(ExitCode::bad_data, "{}: not the --output of a bench suite of this version", a_.baseline);
        for (const std::string& name : chosen_workloads(a_.workloads)) check_history_of(name);
        if (history_.at("machine") != machine())
            throw_error(ExitCode::usage, "{}: measured on {}, this is {}: times of different machines cannot be compared", a_.baseline,
                        history_.at("machine").dump(), machine().dump());
    }

    // "cost" is a list of rounds, each a list of positive numbers, none of them empty.
    void check_history_of(const std::string& name) const {
        const Json& all = history_.at("workloads");
        const auto positive = [](const Json& value) { return value.is_number() && value.get<double>() > 0.0; };
        const auto round = [&](const Json& value) { return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), positive); };
        const bool there = all.is_object() && all.contains(name) && all.at(name).is_object() && all.at(name).contains("cost");
        const Json cost = there ? all.at(name).at("cost") : Json();
        if (!cost.is_array() || cost.empty() || !std::all_of(cost.begin(), cost.end(), round))
            throw_error(ExitCode::bad_data, "{}: workloads.{}.cost: expected lists of positive numbers, one a round", a_.baseline, name);
    }

    std::vector<std::string> worker_arguments(const std::string& name, double slow_down) const {
        std::vector<std::string> arguments{"bench", "worker", "--workload", name, "--threads", std::to_string(threads_)};
        if (slow_down > 0.0) arguments.insert(arguments.end(), {"--slow-down", fmt::format("{}", slow_down)});
        return arguments;
    }

    static void keep_figure(const std::string& name, std::optional<double>& kept, double figure) {
        if (kept && *kept != figure)
            throw_error(ExitCode::internal, "bench suite: {} gave {} once and {} once: its result is not reproducible", name, *kept, figure);
        kept = figure;
    }

    // Every round has processes of its own. Whoever goes first changes from pair to pair.
    Times measure(const std::string& name) const {
        Times times;
        for (std::int64_t round = 0; round < a_.rounds; ++round) {
            WorkerProcess ours("/proc/self/exe", worker_arguments(name, a_.slow_down));
            std::optional<WorkerProcess> baseline;
            if (!program_.empty()) baseline.emplace(program_, worker_arguments(name, 0.0));
            // Not timed: caches and pages. Processes of one build must agree.
            keep_figure(name, times.figure, ours.run().figure);
            if (baseline) keep_figure(name, times.baseline_figure, baseline->run().figure);
            std::vector<double> seconds, cost, ratios;
            double peak = 0.0;
            for (std::int64_t pair = 0; pair < a_.pairs; ++pair) {
                double theirs = 0.0;
                if (baseline && pair % 2 == 0) theirs = baseline->run().seconds;
                const WorkerProcess::Unit unit = ours.run();
                if (baseline && pair % 2 == 1) theirs = baseline->run().seconds;
                keep_figure(name, times.figure, unit.figure);
                seconds.push_back(unit.seconds);
                if (baseline) ratios.push_back(unit.seconds / theirs);
                // Beside another build a peak a round is enough: nothing is decided by it.
                if (!baseline || pair == 0) peak = ours.peak();
                cost.push_back(unit.seconds * peak);
            }
            times.seconds.push_back(seconds);
            times.cost.push_back(cost);
            if (baseline) times.ratios.push_back(ratios);
        }
        return times;
    }

    // Prints the line of a workload and completes its entry; whether it is slower.
    bool judge(const std::string& name, const Times& times, Json& entry) const {
        const double milliseconds = 1e3 * median(flat(times.seconds));
        std::vector<std::vector<double>> ratios = times.ratios;
        if (history_.is_object()) {
            const double before = median(flat(history_.at("workloads").at(name).at("cost").get<std::vector<std::vector<double>>>()));
            ratios = times.cost;
            for (auto& round : ratios)
                for (double& value : round) value /= before;
        }
        if (ratios.empty()) {
            std::printf("%-10s %12.2f\n", name.c_str(), milliseconds);
            return false;
        }
        const RatioVerdict verdict = judge_ratios(ratios, a_.threshold);
        const char* const text = verdict.slower ? "SLOWER" : verdict.faster ? "faster" : "same";
        const bool same_figure = !times.baseline_figure || *times.baseline_figure == *times.figure;
        std::printf("%-10s %12.2f %12.2f %8.3f   %.3f to %.3f    %s%s\n", name.c_str(), milliseconds, milliseconds / verdict.ratio, verdict.ratio,
                    verdict.lower, verdict.upper, text, same_figure ? "" : ", other numbers");
        std::fflush(stdout);
        entry["ratio"] = verdict.ratio;
        entry["bounds"] = {verdict.lower, verdict.upper};
        entry["verdict"] = text;
        entry["same_numbers"] = same_figure;
        return verdict.slower;
    }

    static std::vector<double> flat(const std::vector<std::vector<double>>& rounds) {
        std::vector<double> all;
        for (const auto& round : rounds) all.insert(all.end(), round.begin(), round.end());
        return all;
    }

    static Json summary(const Json& report, bool slower) {
        Json result{{"status", slower ? "slower" : "done"}, {"machine", report.at("machine")}, {"workloads", Json::object()}};
        for (const auto& [name, entry] : report.at("workloads").items()) {
            Json& line = result["workloads"][name];
            line["milliseconds"] = 1e3 * median(flat(entry.at("seconds").get<std::vector<std::vector<double>>>()));
            for (const char* key : {"ratio", "bounds", "verdict", "same_numbers"})
                if (entry.contains(key)) line[key] = entry.at(key);
        }
        return result;
    }

    Arguments a_;
    int threads_;
    std::string program_;  // the baseline when it is a build
    Json history_;         // or when it is a file
};

}  // namespace

void add_bench_suite(Command& bench) {
    auto arguments = std::make_shared<Arguments>();
    Command& command = bench.command("suite", "Times fixed workloads, and decides whether they became slower than a baseline (exit 3).");
    command.option("--baseline", arguments->baseline, "PROGRAM_OR_FILE",
                   "Another build's temper, timed in turns with this one; or the --output of an earlier suite on this machine, compared by work at "
                   "the processor's measured peak.");
    command.option("--output", arguments->output, "FILE", "Where the times go, as JSON: a later suite's baseline.");
    command.option("--workloads", arguments->workloads, "LIST",
                   fmt::format("Some of {}, with commas between; all by default.", fmt::join(workload_names(), ", ")));
    command.option("--rounds", arguments->rounds, "N", "Fresh processes for each workload.");
    command.option("--pairs", arguments->pairs, "N", "Pairs timed in a round.");
    command.option("--threshold", arguments->threshold, "SHARE", "The slow-down that counts.");
    command.option("--threads", arguments->threads, "N", "Threads; 0 takes OMP_NUM_THREADS or the cores allowed.");
    command.option("--slow-down", arguments->slow_down, "SHARE", "Makes this build's units longer by this share, to test the verdict.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] {
        std::signal(SIGPIPE, SIG_IGN);  // a worker that ended is an Error of ours
        return Suite(*arguments).run();
    });
}

}  // namespace temper
