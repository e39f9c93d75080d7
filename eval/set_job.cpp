#include "eval/set_job.h"

#include <algorithm>
#include <map>
#include <utility>

#include "eval/evaluation_run.h"
#include "eval/set_answers.h"
#include "eval/set_judges.h"
#include "eval/set_results.h"
#include "io/comm/job_ranks.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "retrieval/chat_asking.h"
#include "retrieval/unasked_run.h"
#include "runs/registry.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

std::string dumped(const Json& json, int indent) { return json_text(json, indent) + "\n"; }

class SetRun final : public EvaluationRun {
  public:
    SetRun(const SetEvalOptions& options, Comm& comm)
        : EvaluationRun(options, comm), options_(options), baseline_(options.matrix.systems.size() > 1 ? options.matrix.baseline_index() : -1) {}

  private:
    bool single() const { return options_.matrix.systems.size() == 1; }

    void load() override {
        for (const std::string& file : options_.matrix.sets) sets_.emplace_back(file, options_.filter);
        check_names();
        for (const EvaluationSet& set : sets_) {
            check_rows(set);
            judges_.emplace_back(set, options_.judges_dir);
            for (const EvalSystem& system : options_.matrix.systems)
                if (!system.run.empty()) answers_of_run(system.run, set);  // that it has all of them is known before a model answers
        }
        if (comm().rank() == 0 && options_.resume == "auto" && is_judged())
            reopen_unasked_run(options_.output_dir, options_.run_name, identity(),
                               [&](const std::filesystem::path& run, const Json&) { return goes_on(run); });
    }

    bool is_judged() const {
        return std::any_of(sets_.begin(), sets_.end(), [](const EvaluationSet& set) { return !set.settings().judges.empty(); });
    }

    // Of a finished run: questions to the judges of a set are left, and by their tokens and today's prices they may be asked.
    bool goes_on(const std::filesystem::path& run) const {
        const std::filesystem::path file = run / "eval" / "comparison.json";
        if (!std::filesystem::is_regular_file(file)) return false;
        const Json comparison = parse_json(read_file(file, std::size_t(256) << 20), file.string(), {std::size_t(256) << 20});
        return std::any_of(sets_.begin(), sets_.end(), [&](const EvaluationSet& set) {
            const SetSettings& settings = set.settings();
            const Json& judging = member(member(comparison, "judging"), settings.name);
            const auto number = [](const Json& json, const char* name) {
                return member(json, name).is_number() ? member(json, name).get<std::int64_t>() : 0;
            };
            std::int64_t unasked = 0;
            for (const Json& judge : member(judging, "judges")) unasked += number(judge, "unasked");
            return unasked > 0 && may_ask(settings.max_cost, token_cost(settings.prices, settings.endpoint.model, number(judging, "prompt_tokens"),
                                                                        number(judging, "completion_tokens")));
        });
    }

    void check_names() const {
        for (std::size_t i = 0; i < sets_.size(); ++i)
            for (std::size_t j = 0; j < i; ++j)
                if (sets_[i].settings().name == sets_[j].settings().name)
                    throw_error(ExitCode::usage, "{} and {}: two sets of the name {}", sets_[j].file().string(), sets_[i].file().string(),
                                sets_[i].settings().name);
    }

    Json config() const override {
        Json config = options_.matrix.json();
        if (is_run(0)) {
            config["model"] = options_.matrix.systems[0].model;
            config["adapter"] = options_.matrix.systems[0].adapter;
        }
        config["dtype"] = options_.dtype;
        config["ids"] = options_.filter.ids;
        config["tags"] = options_.filter.tags;
        config["limit"] = options_.filter.limit;
        for (std::size_t t = 0; t < sets_.size(); ++t) {
            Json& entry = config["evaluation_sets"][sets_[t].settings().name];
            entry = sets_[t].json();
            if (!sets_[t].settings().judges.empty()) entry["judges"] = judges_[t].json();
        }
        return config;
    }

    std::string identity() const override {
        if (identity_.empty()) identity_ = new_identity();
        return identity_;
    }

    std::string new_identity() const {
        std::string text = fmt::format("eval sets\ndtype {}\nisa {}\nbaseline {}\n", options_.dtype, name_of(parse_isa(options_.isa)), baseline_);
        for (const EvalSystem& system : options_.matrix.systems) text += system_identity(system, sets_);
        for (std::size_t t = 0; t < sets_.size(); ++t) text += sets_[t].identity() + "\n" + judges_[t].identity();
        return sha256_hex(text);
    }

    void begin(JobRecord& job) override {
        for (const EvaluationSet& set : sets_)
            for (const std::filesystem::path& data : set.data()) job.record().add_data("eval", data, rows_sha256(data), set.all_rows());
        if (const std::string& adapter = options_.matrix.systems[0].adapter; is_run(0) && !adapter.empty()) add_adapter_data(job.record(), adapter);
    }

    // Every system's answers to every set; one bar over all of them.
    void answer(const std::filesystem::path& cache) override {
        std::int64_t rows = 0;
        for (const EvaluationSet& set : sets_) rows += static_cast<std::int64_t>(set.rows().size());
        const auto systems = static_cast<std::int64_t>(options_.matrix.systems.size());
        std::optional<Progress> bar;
        if (comm().rank() == 0) bar.emplace("eval", rows * systems);
        std::int64_t before = 0;
        for (const EvalSystem& system : options_.matrix.systems) {
            std::vector<GradedSet> graded(sets_.size());
            std::map<std::string, std::int64_t> done;
            const AnswerSettings settings{options_.dtype, cache / system.name};
            std::vector<std::vector<SetAnswer>> answers =
                answer_sets(system, sets_, stream(), comm(), settings, [&](const std::string& set, std::int64_t count) {
                    done[set] = count;
                    std::int64_t all = before;
                    for (const auto& [name, part] : done) all += part;
                    if (bar) bar->update(all, 0, single() ? set : system.name + ", " + set);
                });
            for (std::size_t t = 0; t < sets_.size(); ++t) {
                graded[t].set = &sets_[t];
                graded[t].answers = std::move(answers[t]);
            }
            systems_.push_back(std::move(graded));
            before += rows;
        }
    }

    void grade(JobRecord& job) {
        const std::filesystem::path run = job.directory().path();
        using Tokens = std::pair<std::int64_t, std::int64_t>;
        std::map<std::pair<std::string, std::string>, Tokens> used;  // of prompts and completions, by endpoint and model
        for (std::vector<GradedSet>& system : systems_)
            for (GradedSet& graded : system) graded.grades = grade_answers(*graded.set, graded.answers);
        for (std::size_t t = 0; t < sets_.size(); ++t) {
            if (sets_[t].settings().judges.empty()) continue;
            std::filesystem::create_directories(run / "eval");
            AnswerJournal journal(run / "eval" / ("judgements_" + sets_[t].settings().name + ".jsonl"));
            if (journal.answers() > 0) log_info("{} answers of the judges are there already", journal.answers());
            std::vector<JudgedSystem> judged;
            for (std::vector<GradedSet>& system : systems_) judged.push_back({&system[t].answers, &system[t].grades});
            Json report = judges_[t].judge(judged, baseline_, journal, [] { return stop_requested() != 0; });
            const SetSettings& settings = sets_[t].settings();
            const double cost = journal_cost(journal, settings.prices, settings.endpoint.model);
            cost_ += cost;
            Tokens& tokens = used[{settings.endpoint.base_url, settings.endpoint.model}];
            tokens = {tokens.first + journal.prompt_tokens(), tokens.second + journal.completion_tokens()};
            job.record().set_usage(settings.endpoint.base_url, settings.endpoint.model, tokens.first, tokens.second);
            for (auto& [name, judge] : report.items()) unasked_ += judge.value("unasked", std::int64_t{0});
            judging_[settings.name] = {{"judges", report},
                                       {"answers", journal.answers()},
                                       {"prompt_tokens", journal.prompt_tokens()},
                                       {"completion_tokens", journal.completion_tokens()},
                                       {"cost", cost}};
            for (std::vector<GradedSet>& system : systems_) system[t].judges = judging_[settings.name];
        }
        if (unasked_ > 0)
            log_warning("max_cost is reached: {} questions to judges were not asked; the same command with a higher max_cost goes on", unasked_);
    }

    // The command line's own system stands for the run; those of a matrix, and a baseline, have folders of their names.
    bool is_run(std::size_t s) const { return options_.matrix_file.empty() && s == 0; }

    // A system's results and samples.
    void write_system(JobRecord& job, std::size_t s, double seconds, Json& metrics) {
        const EvalSystem& system = options_.matrix.systems[s];
        const std::filesystem::path folder = is_run(s) ? job.directory().eval() : job.directory().eval() / system.name;
        std::filesystem::create_directories(folder);
        Json results = set_results(systems_[s], stream().threads());
        results["config"] = Json{{"model", "temper"},
                                 {"model_args", {{"pretrained", system.model}, {"peft", system.adapter}, {"dtype", options_.dtype}}},
                                 {"limit", options_.filter.limit > 0 ? Json(options_.filter.limit) : Json()},
                                 {"system", system.name}};
        results["model_name"] = system.model;
        results["total_evaluation_time_seconds"] = std::to_string(seconds);
        for (const GradedSet& graded : systems_[s]) {
            std::string lines;
            for (const Json& sample : set_samples(graded)) lines += dumped(sample, -1);
            const std::filesystem::path file = folder / ("samples_" + graded.set->settings().name + ".jsonl");
            write_durable(file, lines);
            job.record().add_artifact("samples", file);
        }
        write_durable(folder / "results.json", dumped(results, 2));
        for (const auto& [set, values] : results.at("results").items())
            for (const auto& [key, value] : values.items())
                if (value.is_number() && key.find(',') != std::string::npos) metrics[(is_run(s) ? "" : system.name + "/") + set + "/" + key] = value;
    }

    void finish(JobRecord& job, double seconds) override {
        job.stage("grade");
        grade(job);
        job.directory().check_owned();
        std::vector<std::string> names;
        Json metrics = Json::object();
        for (std::size_t s = 0; s < systems_.size(); ++s) {
            names.push_back(options_.matrix.systems[s].name);
            write_system(job, s, seconds, metrics);
        }
        Json comparison = compare_systems(names, systems_, baseline_, stream().threads());
        if (!judging_.empty()) comparison["judging"] = judging_;
        const std::filesystem::path folder = job.directory().eval(), file = folder / "comparison.json";
        write_durable(file, dumped(comparison, 2));
        for (const EvaluationSet& set : sets_)
            if (!set.settings().judges.empty()) job.record().add_artifact("judgements", folder / ("judgements_" + set.settings().name + ".jsonl"));
        RunPerformance performance;
        performance.seconds = seconds;
        performance.peak_memory_bytes = peak_memory_bytes();
        performance.cost = cost_;
        if (cost_ > 0) metrics["cost"] = cost_;
        if (is_run(0)) job.add_output("output", folder / "results.json");
        job.add_output(is_run(0) ? "comparison" : "output", file);
        job.finish(metrics, performance, true);
        print(comparison);
        console().line(fmt::format("temper: results {}", folder.string()));
        if (!options_.json) return;
        Json result = job.result();
        result["comparison"] = file.string();
        print_result(result);
    }

    static void print(const Json& comparison) {
        for (const std::string& line : comparison_table(comparison)) fmt::print("{}\n", line);
    }

    void show(const RunDirectory& run) override {
        const std::filesystem::path file = run.eval() / "comparison.json";
        print(parse_json(read_file(file), file.string(), {std::size_t(1) << 30, 64}));
        console().line(fmt::format("temper: results {}", run.eval().string()));
    }

    const SetEvalOptions& options_;
    const int baseline_;
    mutable std::string identity_;  // weights are hashed once
    std::vector<EvaluationSet> sets_;
    std::vector<SetJudges> judges_;
    std::vector<std::vector<GradedSet>> systems_;  // (systems, sets)
    Json judging_ = Json::object();
    double cost_ = 0;
    std::int64_t unasked_ = 0;
};

}  // namespace

int run_set_eval_job(const SetEvalOptions& options) {
    install_stop_signals();  // first: starting MPI takes seconds on a cluster
    const std::unique_ptr<Comm> comm = start_comm(job_patience_seconds);
    return run_on_ranks(*comm, options.json, [&] { return SetRun(options, *comm).run(); });
}

}  // namespace temper
