#include "runs/job_record.h"

#include <algorithm>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/machine.h"
#include "kernels/error.h"
#include "runs/report.h"

namespace temper {

RunDirectory JobRecord::find(const JobOptions& options, const std::string& identity, bool& resumed) {
    check_record_options(options);
    if (options.resume == "auto") {
        if (auto found = RunDirectory::find_resumable(options.output_dir, options.run_name, identity)) {
            resumed = true;
            return std::move(*found);
        }
    }
    return RunDirectory::create(options.output_dir, options.run_name, identity);
}

JobRecord::JobRecord(const JobOptions& options, const Json& config, const std::string& identity, const std::filesystem::path& output)
    : options_(options),
      config_(config),
      identity_(identity),
      directory_(find(options, identity, resumed_)),
      record_(RunRecord::open(directory_.record())) {
    settle(output);
    if (finished_already_) return;
    directory_.take_ownership();
    if (!resumed_) return;
    record_ = RunRecord::open(directory_.record());  // an owner that we waited for may have finished it
    settle(output);
    if (finished_already_) directory_.release();
    else directory_.take_ownership();
}

// Whether a run that was found is finished already; one whose output is gone makes room for a new run.
void JobRecord::settle(const std::filesystem::path& output) {
    if (!resumed_ || record_.status() != "finished") return;
    finished_already_ = output.empty() || wrote(output);
    if (finished_already_) return;
    directory_ = RunDirectory::create(options_.output_dir, options_.run_name, identity_);
    record_ = RunRecord::open(directory_.record());
    resumed_ = false;
}

bool JobRecord::wrote(const std::filesystem::path& output) const {
    if (!std::filesystem::is_regular_file(output)) return false;
    for (const Json& artifact : record_.fields().at("artifacts"))
        if (artifact.value("path", "") == output.string()) return artifact.value("sha256", "") == sha256_file(output);
    return false;
}

void JobRecord::begin(const Stream& stream, int ranks) {
    RunEnvironment environment = environment_of(stream);
    environment.ranks = ranks;
    begin(environment);
    std::filesystem::create_directories(parts());
}

void JobRecord::begin(const RunEnvironment& environment) {
    record_.set_status(RunStatus::running);
    record_.set_config(config_, identity_);
    describe_run(record_, options_, environment);
    meter_.emplace(record_, price_table_of(options_));
    record_.save();
    tracking_.start(directory_.path());
}

void JobRecord::stage(const std::string& name) {
    record_.begin_stage(name);
    record_.save();
}

void JobRecord::add_output(const std::string& role, const std::filesystem::path& path) {
    if (!std::filesystem::is_directory(path)) return record_.add_artifact(role, path);
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
        if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) record_.add_artifact(role, file);
}

void JobRecord::finish(const Json& metrics, const RunPerformance& performance, bool with_report) {
    record_.set_metrics(metrics);
    record_.set_performance(performance);
    meter_->add_to(record_);
    record_.set_status(RunStatus::finished);
    record_.save();
    if (with_report) write_report_or_warn(directory_.path());  // ahead of the trackers, which send it
    std::error_code ignored;
    std::filesystem::remove_all(parts(), ignored);  // after all that can fail: a run that failed goes on with them
    tracking_.finish();
}

void JobRecord::preempted(const std::string& message) { end(RunStatus::preempted, static_cast<int>(ExitCode::requeue), message); }

void JobRecord::end(RunStatus status, int exit_code, const std::string& message) {
    meter_->add_to(record_);
    record_.set_status(status, exit_code, message);
    record_.save();
}

void JobRecord::failed(const std::exception& error) {
    if (meter_) meter_->add_to(record_);
    const ExitCode code = exit_code_of(error);
    record_.set_status(code == ExitCode::requeue ? RunStatus::preempted : RunStatus::failed, static_cast<int>(code), error.what());
    try {
        directory_.check_owned();  // another owner's record is not ours to write
        record_.save();
    } catch (const Error&) {
        // The first error is the one to report.
    }
}

Json JobRecord::result() const {
    const Json& fields = record_.fields();
    Json json{{"run_id", directory_.id()}, {"run_dir", directory_.path().string()}, {"status", record_.status()}};
    json["metrics"] = fields.contains("metrics") ? fields.at("metrics") : Json::object();
    return json;
}

Json run_recorded(const JobOptions& options, const Json& config, const RunEnvironment& environment, const RecordedWork& work) {
    JobOptions once = options;
    once.resume = "no";
    JobRecord job(once, config, sha256_hex(json_text(config)), {});
    try {
        job.begin(environment);
        RunPerformance performance;
        const Json metrics = work(job, performance);
        performance.peak_memory_bytes = std::max(performance.peak_memory_bytes, peak_memory_bytes());
        job.finish(metrics, performance);
    } catch (const std::exception& error) {
        job.failed(error);
        throw;
    }
    return job.result();
}

}  // namespace temper
