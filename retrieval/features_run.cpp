#include "retrieval/features_run.h"

#include "io/durable.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "retrieval/features_job.h"
#include "runs/job_record.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

JobOptions job_options(const FeaturesOptions& options) {
    JobOptions job;
    static_cast<RecordOptions&>(job) = options;
    job.output_dir = options.config.output_dir;
    job.run_name = options.config.run_name;
    job.resume = "no";  // what is left to do is what the store says
    return job;
}

void begin_record(JobRecord& job, const FeaturesOptions& options) {
    RunEnvironment environment;
    environment.device = options.config.device;
    environment.threads = resolve_threads(options.config.threads);
    job.begin(environment);
    write_durable(job.directory().config(), to_yaml(features_json(options.config)));
}

Json metrics_of(const FeaturesResult& result) {
    Json metrics = result.total().to_json();
    metrics["embedded"] = result.embedded;
    metrics["rejected"] = result.rejected;
    metrics["empty"] = result.empty;
    metrics["kept"] = result.kept;
    metrics["passed_over"] = result.passed_over;
    Json categories = Json::object();
    for (const auto& [name, counts] : result.categories) categories[name] = counts.to_json();
    metrics["categories"] = categories;
    return metrics;
}

void end_record(JobRecord& job, const FeaturesResult& result, double seconds) {
    RunRecord& record = job.record();
    for (const Intake::Source& source : result.sources) record.add_data("documents", source.path, source.sha256, source.documents);
    RunPerformance performance;
    performance.seconds = seconds;
    performance.peak_memory_bytes = peak_memory_bytes();
    if (result.complete) return job.finish(metrics_of(result), performance);
    record.set_metrics(metrics_of(result));
    record.set_performance(performance);
    job.preempted();
}

void say(const FeaturesResult& result) {
    for (const auto& [reason, count] : result.passed_over) log_info("{} passed over: {}", count, reason);
    if (result.rejected > 0) log_warning("{} documents could not be read: rejected.jsonl in the store lists them", result.rejected);
    if (result.kept > 0) log_warning("{} documents of the store stay as they were: their source could not be read", result.kept);
    if (result.empty > 0) log_warning("{} documents came out empty: rejected.jsonl in the store lists them", result.empty);
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
    const JobOptions job_settings = job_options(options);
    JobRecord job(job_settings, features_json(options.config), hash, {});
    try {
        begin_record(job, options);
        const FeaturesResult result = make_features(
            options.config, options.open_embedder, [] { return stop_requested() != 0; }, [&](const std::string& name) { job.stage(name); });
        end_record(job, result, Progress::steady_seconds() - started);
        say(result);
        return {result.complete ? 0 : static_cast<int>(ExitCode::requeue), job.result()};
    } catch (const std::exception& error) {
        job.failed(error);
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
