#include "retrieval/features_run.h"

#include "io/durable.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "retrieval/features_job.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

RunRecord begin_record(const FeaturesOptions& options, const RunDirectory& directory, const std::string& hash) {
    RunRecord record = RunRecord::open(directory.record());
    record.set_command(options.command_line);
    record.set_config(features_json(options.config), hash);
    RunEnvironment environment;
    for (const auto& [name, text] : options.versions)
        if (name == "git") environment.git = text;
        else environment.versions[name] = text;
    environment.device = options.config.device;
    environment.threads = resolve_threads(options.config.threads);
    record.set_environment(environment);
    record.save();
    write_durable(directory.config(), to_yaml(features_json(options.config)));
    return record;
}

Json metrics_of(const FeaturesResult& result) {
    Json metrics = result.total().to_json();
    metrics["embedded"] = result.embedded;
    metrics["rejected"] = result.rejected;
    metrics["passed_over"] = result.passed_over;
    Json categories = Json::object();
    for (const auto& [name, counts] : result.categories) categories[name] = counts.to_json();
    metrics["categories"] = categories;
    return metrics;
}

void end_record(RunRecord& record, const FeaturesResult& result, double seconds) {
    for (const Intake::Source& source : result.sources) record.add_data("documents", source.path, source.sha256, source.documents);
    record.set_metrics(metrics_of(result));
    RunPerformance performance;
    performance.seconds = seconds;
    performance.peak_memory_bytes = peak_memory_bytes();
    record.set_performance(performance);
    if (result.complete) record.set_status(RunStatus::finished);
    else record.set_status(RunStatus::preempted, static_cast<int>(ExitCode::requeue), "stopped by a signal, state saved");
    record.save();
}

void say(const FeaturesResult& result) {
    for (const auto& [reason, count] : result.passed_over) log_info("{} passed over: {}", count, reason);
    if (result.rejected > 0) log_warning("{} documents could not be read: rejected.jsonl in the store lists them", result.rejected);
    const StageCounts all = result.total();
    log_info("{} documents, {} cleaned, {} duplicates, {} chunks, {} vectors ({} new), {} indexed", all.documents, all.cleaned, all.duplicates,
             all.chunks, all.vectors, result.embedded, all.indexed);
    if (!result.complete) log_warning("stopped by a signal; what was made is saved: the same command goes on");
}

}  // namespace

FeaturesOutcome run_features(const FeaturesOptions& options) {
    install_stop_signals();
    const double started = Progress::steady_seconds();
    const std::string hash = features_hash(options.config);
    RunDirectory directory = RunDirectory::create(options.config.output_dir, options.config.run_name, hash);
    directory.take_ownership();
    RunRecord record = begin_record(options, directory, hash);
    try {
        const FeaturesResult result = make_features(options.config, options.open_embedder, [] { return stop_requested() != 0; });
        end_record(record, result, Progress::steady_seconds() - started);
        say(result);
        return {
            result.complete ? 0 : static_cast<int>(ExitCode::requeue),
            Json{{"run_id", directory.id()}, {"run_dir", directory.path().string()}, {"status", record.status()}, {"metrics", metrics_of(result)}}};
    } catch (const std::exception& error) {
        record.set_status(RunStatus::failed, static_cast<int>(exit_code_of(error)), error.what());
        try {
            record.save();
        } catch (const Error&) {
            // The first error is the one to report.
        }
        throw;
    }
}

Json features_status(const std::filesystem::path& path) {
    const FeatureStore store(path);
    if (!store.exists()) throw_error(ExitCode::missing_input, "{}: no store of temper features there", path.string());
    StageCounts total;
    Json categories = Json::object();
    for (const std::string& name : store.categories()) {
        const CategoryStore category = store.category(name);
        StageCounts counts = category.counts();
        if (!std::filesystem::exists(category.collection())) counts.indexed = 0;
        total += counts;
        categories[name] = counts.to_json();
    }
    return {{"store", path.string()}, {"categories", categories}, {"total", total.to_json()}};
}

}  // namespace temper
