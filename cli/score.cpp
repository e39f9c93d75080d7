#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "eval/score.h"
#include "io/output_file.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "io/text.h"
#include "kernels/error.h"
#include "runs/job_record.h"

namespace temper {
namespace {

struct Arguments {
    std::string predictions, metrics, baseline, rows, checks, tags;
    ScoreOptions options;
    std::int64_t seed = 12345;
    JobOptions job;
};

std::string number(const Json& value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", value.get<double>());
    return text;
}

void print_table(const Json& result, const std::vector<std::string>& metrics) {
    for (const std::string& name : metrics) {
        std::string line = name + " " + number(result.at(name));
        if (result.contains("intervals")) line += " [" + number(result["intervals"][name][0]) + ", " + number(result["intervals"][name][1]) + "]";
        if (result.contains("baseline")) {
            const Json& other = result["baseline"][name];
            line += ", baseline " + number(other.at("value")) + ", difference " + number(other.at("difference"));
            if (other.contains("interval")) line += " [" + number(other["interval"][0]) + ", " + number(other["interval"][1]) + "]";
            if (other.contains("p_value")) line += ", p " + number(other.at("p_value"));
        }
        if (result.contains("signatures") && result["signatures"].contains(name)) line += "  " + result["signatures"][name].get<std::string>();
        std::printf("%s\n", line.c_str());
    }
    std::printf("rows %s\n", result.at("rows").dump().c_str());
    if (!result.contains("checks")) return;
    std::printf("rows that pass every check %s of %s\n", result.at("rows_passed").dump().c_str(), result.at("rows_checked").dump().c_str());
    for (const auto& [name, counts] : result.at("checks").items())
        std::printf("%s: %s passed, %s failed\n", name.c_str(), counts.at("passed").dump().c_str(), counts.at("failed").dump().c_str());
    for (const Json& failure : result.at("failures"))
        std::printf("  row %s: %s: %s\n", failure.at("id").dump().c_str(), failure.at("check").get<std::string>().c_str(),
                    failure.at("fault").get<std::string>().c_str());
}

// The numbers of a result by name: of metrics, and how many rows pass.
Json figures_of(const Json& scores) {
    Json figures = Json::object();
    for (const auto& [name, value] : scores.items())
        if (value.is_number()) figures[name] = value;
    return figures;
}

// Scores into `scores`; with a run's record where something is written, or a place for records is named. run_id and run_dir of that record.
Json recorded(const Arguments& arguments, Json& scores) {
    JobOptions job = arguments.job;
    const ScoreOptions& options = arguments.options;
    if (job.output_dir.empty() && options.rows.empty()) {
        scores = score_file(arguments.predictions, options);
        return Json::object();
    }
    if (job.output_dir.empty()) job.output_dir = default_output_dir();
    if (!options.rows.empty()) check_output_file(options.rows, {arguments.predictions, options.baseline, options.checks});
    check_file_is_there("--predictions", arguments.predictions);
    if (!options.baseline.empty()) check_file_is_there("--baseline", options.baseline);
    check_score_options(options);
    const Json config{{"predictions", arguments.predictions},
                      {"metrics", options.metrics},
                      {"checks", options.checks.string()},
                      {"tags", options.tags},
                      {"baseline", options.baseline.string()},
                      {"resamples", options.resamples},
                      {"seed", options.seed}};
    const Json result = run_recorded(job, config, {}, [&](JobRecord& record, RunPerformance&) {
        record.record().add_data("predictions", arguments.predictions, rows_sha256(arguments.predictions), -1);
        if (!options.baseline.empty()) record.record().add_data("baseline", options.baseline, rows_sha256(options.baseline), -1);
        scores = score_file(arguments.predictions, options);
        if (!options.rows.empty()) record.add_output("rows", options.rows);
        return figures_of(scores);
    });
    return {{"run_id", result.at("run_id")}, {"run_dir", result.at("run_dir")}};
}

int score(Arguments& arguments) {
    ScoreOptions& options = arguments.options;
    if (options.resamples < 0 || arguments.seed < 0) throw_error(ExitCode::usage, "--resamples and --seed: expected no negative number");
    options.metrics = comma_separated(arguments.metrics);
    options.checks = arguments.checks;
    options.tags = comma_separated(arguments.tags);
    options.baseline = arguments.baseline;
    options.rows = arguments.rows;
    options.seed = static_cast<std::uint64_t>(arguments.seed);
    Json scores;
    const Json job = recorded(arguments, scores);
    print_table(scores, options.metrics);
    if (!arguments.job.json) return 0;
    Json result{{"status", "done"}};
    result.update(scores);
    result.update(job);
    print_result(result);
    return 0;
}

}  // namespace

void add_score(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Arguments>();
    set_up_job(arguments->job, "score", command_line);
    arguments->job.output_dir.clear();
    Command& command = temper.command("score", "Scores predictions against references.");
    command.required("--predictions", arguments->predictions, "rows.jsonl",
                     "Rows {\"prediction\", \"reference\"}; a reference is a text or a list of texts.");
    command.option(
        "--metrics", arguments->metrics, "NAMES",
        "Names joined by commas: exact_match, json_fields, token_f1, bleu, chrf, chrf++, ter, rouge1 to rouge9, rougeL, rougeLsum "
        "(F1; also rouge1_precision, rouge1_recall and so on); of classes accuracy, precision_macro, recall_macro, f1_macro, the same with binary, "
        "micro, weighted; by models semantic_similarity, perplexity; of rankings recall@k, precision@k, hit@k, mrr, map, ndcg, context_precision.");
    command.option("--checks", arguments->checks, "checks.yaml", "Checks that every prediction passes or fails (docs/metrics.md).");
    command.option("--tags", arguments->tags, "NAMES", "Only rows that have all of these tags.");
    command.flag("--stemmer", arguments->options.metric.stemmer, "ROUGE of Porter stems.");
    command.flag("--lowercase", arguments->options.metric.lowercase, "BLEU and chrF without case.");
    command.choice("--tokenizer", arguments->options.metric.tokenizer, {"13a", "intl", "char", "none"}, "BLEU's tokens.");
    command.option("--positive-label", arguments->options.metric.positive_label, "TEXT",
                   "The positive class of precision_binary, recall_binary, f1_binary.");
    command.option("--encoder", arguments->options.metric.encoder, "DIR", "Encoder of semantic_similarity.");
    command.option("--language-model", arguments->options.metric.language_model, "DIR", "Model of perplexity.");
    command.option("--resamples", arguments->options.resamples, "N", "Resamples of the 95% intervals and of p; 0: neither.");
    command.option("--seed", arguments->seed, "N", "Of the resamples.");
    command.option("--baseline", arguments->baseline, "rows.jsonl", "Another system's rows: differences, and p by paired bootstrap.");
    command.option("--rows", arguments->rows, "out.jsonl", "Where the values of every row go.");
    command.option("--output-dir", arguments->job.output_dir, "DIR", "Where the run's record is made; with --rows runs/, else none is made.");
    command.option("--run-name", arguments->job.run_name, "NAME", "A part of the run directory's name.");
    add_record_arguments(command, arguments->job);
    command.flag("--json", arguments->job.json, "One object as the last line of stdout.");
    command.runs([arguments] { return score(*arguments); });
}

}  // namespace temper
