#include "retrieval/dataset_job.h"

#include <set>

#include "io/durable.h"
#include "io/hdf5/hdf5_table.h"
#include "io/json_text.h"
#include "io/log.h"
#include "kernels/error.h"
#include "kernels/stream.h"
#include "retrieval/dataset_asking.h"
#include "retrieval/dataset_rows.h"
#include "retrieval/store_collections.h"
#include "retrieval/unasked_run.h"
#include "runs/job_record.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

struct Inputs {
    std::map<std::string, fs::path> collections;
    std::map<std::string, std::string> hashes;  // sha256 by category
    std::string config_hash;                    // of the configuration and the collections
};

Inputs read_inputs(const DatasetConfig& config) {
    Inputs inputs;
    inputs.collections = store_collections(config.store, config.categories);
    std::string all = dataset_hash(config);
    for (const auto& [category, file] : inputs.collections) all += category + inputs.hashes.emplace(category, sha256_file(file)).first->second;
    inputs.config_hash = sha256_hex(all);
    return inputs;
}

// The rows of both files, as lines, and what became of the chunks.
struct Rows {
    std::string train, test;
    Json metrics;
};

Rows make_rows(const std::vector<DatasetChunk>& chunks, const Asked& asked, const DatasetConfig& config) {
    Rows rows;
    std::set<std::string> prompts;
    std::int64_t made = 0, duplicates = 0, rejected = 0, repaired = 0, unasked = 0, counts[2] = {0, 0};
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const ChunkOutcome& outcome = asked.outcomes[i];
        const Chunk& chunk = chunks[i].chunk;
        rejected += outcome.kind == ChunkOutcome::Kind::rejected;
        unasked += outcome.kind == ChunkOutcome::Kind::unasked;
        repaired += outcome.repaired;
        const bool test = is_test_document(chunk.document, config.test_share, config.seed);
        for (const Json& row : outcome.rows) {
            ++made;
            if (!prompts.insert(prompt_key(row.at("prompt").get<std::string>())).second) {
                ++duplicates;
                continue;
            }
            Json line = training_row(row, config.form == "messages");
            line["category"] = chunks[i].category;
            line["document"] = chunk.document;
            line["chunk"] = chunk.id;
            (test ? rows.test : rows.train) += json_text(line) + "\n";
            ++counts[test ? 1 : 0];
        }
    }
    rows.metrics = {{"chunks", chunks.size()},  {"repaired", repaired},    {"rejected", rejected},  {"unasked", unasked}, {"rows", made},
                    {"duplicates", duplicates}, {"train_rows", counts[0]}, {"test_rows", counts[1]}};
    return rows;
}

class DatasetRun {
  public:
    DatasetRun(const DatasetOptions& options, const std::function<bool()>& stop)
        : options_(options), stop_(stop), inputs_(read_inputs(options.config)) {}

    DatasetOutcome run() {
        const DatasetConfig& config = options_.config;
        JobOptions job;
        static_cast<RecordOptions&>(job) = options_;
        job.output_dir = config.output_dir;
        job.run_name = config.run_name;
        job.resume = options_.resume;
        if (job.resume == "auto")
            reopen_unasked_run(job.output_dir, job.run_name, inputs_.config_hash, [&](const fs::path&, const Json& run) { return goes_on(run); });
        JobRecord record(job, dataset_json(config), inputs_.config_hash, {});
        log_info("{} {}", record.resumed() ? "continuing run" : "run", record.directory().path().string());
        if (record.finished_already()) {
            log_info("it is finished already; --resume no asks everything anew");
            tell_unasked(record.result().at("metrics"));
            return {0, record.result()};
        }
        try {
            return make(record);
        } catch (const std::exception& error) {
            record.failed(error);
            throw;
        }
    }

  private:
    // Of a finished run: chunks are left, and by its tokens and today's prices they may be asked about.
    bool goes_on(const Json& run) const {
        const Json& metrics = member(run, "metrics");
        const auto number = [&](const char* name) { return member(metrics, name).is_number() ? member(metrics, name).get<std::int64_t>() : 0; };
        const DatasetConfig& config = options_.config;
        return number("unasked") > 0 &&
               may_ask(config.max_cost, token_cost(config.prices, config.endpoint.model, number("prompt_tokens"), number("completion_tokens")));
    }

    static void tell_unasked(const Json& metrics) {
        const Json& unasked = member(metrics, "unasked");
        if (unasked.is_number() && unasked > 0)
            log_warning("max_cost is reached: {} chunks were not asked about; the same command with a higher max_cost goes on", unasked.dump());
    }

    DatasetOutcome make(JobRecord& job) {
        begin(job);
        const DatasetConfig& config = options_.config;
        const fs::path folder = job.directory().path(), data = folder / "data";
        const std::vector<DatasetChunk> chunks = dataset_chunks(config, inputs_.collections);
        if (chunks.empty()) throw_error(ExitCode::nothing_to_do, "{}: no chunk is left by categories, filters and min_characters", config.store);
        AnswerJournal journal(folder / "answers.jsonl");
        const std::int64_t before = journal.answers();
        if (before > 0) log_info("{} answers are there already", before);
        job.stage("ask");
        const Asked asked = ask_about(chunks, config, journal, stop_);
        job.directory().check_owned();
        job.stage("rows");
        job.record().set_usage(config.endpoint.base_url, config.endpoint.model, journal.prompt_tokens(), journal.completion_tokens());
        Rows rows = make_rows(chunks, asked, config);
        rows.metrics["questions"] = journal.answers();
        rows.metrics["prompt_tokens"] = journal.prompt_tokens();
        rows.metrics["completion_tokens"] = journal.completion_tokens();
        rows.metrics["cost"] = cost_of(config, journal);
        RunPerformance performance;
        performance.tokens = journal.prompt_tokens() + journal.completion_tokens();
        performance.cost = cost_of(config, journal);
        if (asked.stopped) {
            job.record().set_metrics(rows.metrics);
            job.record().set_performance(performance);
            job.preempted("stopped by a signal; the answers so far are saved");
            log_info("stopped: {} answers are saved; the same command goes on", journal.answers());
            return {static_cast<int>(ExitCode::requeue), job.result()};
        }
        fs::create_directories(data);
        write_durable(data / "train.jsonl", rows.train);
        write_durable(data / "test.jsonl", rows.test);
        for (const char* name : {"train", "test"}) job.add_output(name, data / (std::string(name) + ".jsonl"));
        job.add_output("answers", folder / "answers.jsonl");
        job.finish(rows.metrics, performance);
        log_info("{} rows for training, {} for testing in {}", rows.metrics["train_rows"].get<std::int64_t>(),
                 rows.metrics["test_rows"].get<std::int64_t>(), data.string());
        tell_unasked(rows.metrics);
        return {0, job.result()};
    }

    void begin(JobRecord& job) const {
        RunEnvironment environment;
        environment.isa = name_of(best_isa());
        environment.device = "none";
        environment.threads = static_cast<int>(options_.config.endpoint.concurrency);
        for (const auto& [category, file] : inputs_.collections)
            job.record().add_data("collection", file, inputs_.hashes.at(category), Hdf5TableReader(file).rows("ids"));
        job.begin(environment);
    }

    const DatasetOptions& options_;
    const std::function<bool()>& stop_;
    Inputs inputs_;
};

}  // namespace

DatasetOutcome run_dataset_job(const DatasetOptions& options, const std::function<bool()>& stop) { return DatasetRun(options, stop).run(); }

}  // namespace temper
