#include "retrieval/dataset_job.h"

#include <optional>
#include <set>

#include "io/durable.h"
#include "io/hdf5_table.h"
#include "io/log.h"
#include "kernels/error.h"
#include "kernels/stream.h"
#include "retrieval/dataset_asking.h"
#include "retrieval/dataset_rows.h"
#include "retrieval/store_collections.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"

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
            (test ? rows.test : rows.train) += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
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
        std::optional<RunDirectory> found;
        const DatasetConfig& config = options_.config;
        if (options_.resume == "auto") found = RunDirectory::find_resumable(config.output_dir, config.run_name, inputs_.config_hash);
        const bool resumed = found.has_value();
        if (!resumed) found.emplace(RunDirectory::create(config.output_dir, config.run_name, inputs_.config_hash));
        RunDirectory& directory = *found;
        log_info("{} {}", resumed ? "continuing run" : "run", directory.path().string());
        RunRecord record = RunRecord::open(directory.record());
        if (resumed && record.status() == "finished") return {0, result_of(record, directory)};
        directory.take_ownership();
        try {
            return make(directory, record);
        } catch (const std::exception& error) {
            record.set_status(RunStatus::failed, static_cast<int>(exit_code_of(error)), error.what());
            record.save();
            throw;
        }
    }

  private:
    DatasetOutcome make(RunDirectory& directory, RunRecord& record) {
        fill(record);
        const DatasetConfig& config = options_.config;
        const std::vector<DatasetChunk> chunks = dataset_chunks(config, inputs_.collections);
        if (chunks.empty()) throw_error(ExitCode::nothing_to_do, "{}: no chunk is left by categories, filters and min_characters", config.store);
        AnswerJournal journal(directory.path() / "answers.jsonl");
        const std::int64_t before = journal.answers();
        if (before > 0) log_info("{} answers are there already", before);
        const Asked asked = ask_about(chunks, config, journal, stop_);
        directory.check_owned();
        Rows rows = make_rows(chunks, asked, config);
        rows.metrics["questions"] = journal.answers();
        rows.metrics["prompt_tokens"] = journal.prompt_tokens();
        rows.metrics["completion_tokens"] = journal.completion_tokens();
        rows.metrics["cost"] = cost_of(config, journal);
        record.set_metrics(rows.metrics);
        RunPerformance performance;
        performance.tokens = journal.prompt_tokens() + journal.completion_tokens();
        performance.cost = cost_of(config, journal);
        record.set_performance(performance);
        if (asked.stopped) {
            record.set_status(RunStatus::preempted, static_cast<int>(ExitCode::requeue), "stopped by a signal; the answers so far are saved");
            record.save();
            log_info("stopped: {} answers are saved; --resume auto goes on", journal.answers());
            return {static_cast<int>(ExitCode::requeue), result_of(record, directory)};
        }
        const fs::path data = directory.path() / "data";
        fs::create_directories(data);
        write_durable(data / "train.jsonl", rows.train);
        write_durable(data / "test.jsonl", rows.test);
        for (const char* name : {"train", "test"}) record.add_artifact(name, data / (std::string(name) + ".jsonl"));
        record.add_artifact("answers", directory.path() / "answers.jsonl");
        record.set_status(RunStatus::finished);
        record.save();
        log_info("{} rows for training, {} for testing in {}", rows.metrics["train_rows"].get<std::int64_t>(),
                 rows.metrics["test_rows"].get<std::int64_t>(), data.string());
        return {0, result_of(record, directory)};
    }

    void fill(RunRecord& record) const {
        record.set_command(options_.command_line);
        record.set_config(dataset_json(options_.config), inputs_.config_hash);
        RunEnvironment environment;
        for (const auto& [name, text] : options_.versions) environment.versions[name] = text;
        environment.git = environment.versions.value("git", "");
        environment.isa = name_of(best_isa());
        environment.device = "none";
        environment.threads = static_cast<int>(options_.config.endpoint.concurrency);
        record.set_environment(environment);
        for (const auto& [category, file] : inputs_.collections)
            record.add_data("collection", file, inputs_.hashes.at(category), Hdf5TableReader(file).rows("ids"));
        record.set_status(RunStatus::running);
        record.save();
    }

    static Json result_of(const RunRecord& record, const RunDirectory& directory) {
        return {{"run_id", directory.id()},
                {"run_dir", directory.path().string()},
                {"status", record.status()},
                {"metrics", record.fields().at("metrics")}};
    }

    const DatasetOptions& options_;
    const std::function<bool()>& stop_;
    Inputs inputs_;
};

}  // namespace

DatasetOutcome run_dataset_job(const DatasetOptions& options, const std::function<bool()>& stop) { return DatasetRun(options, stop).run(); }

}  // namespace temper
