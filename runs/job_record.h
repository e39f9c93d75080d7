// The run's directory and record of a job (embed, eval, dataset, convert ...): made or found again, owned while the job works. Rank 0 only.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "kernels/stream.h"
#include "runs/record_options.h"
#include "runs/run_directory.h"
#include "runs/run_meter.h"
#include "runs/run_record.h"
#include "runs/trackers/tracking.h"

namespace temper {

// What a job is told by the command line beside its own settings.
struct JobOptions : RecordOptions {
    std::string output_dir = "runs", run_name, resume = "auto";  // auto: goes on with the newest run of this name and these settings; no
    std::string device = "auto", isa = "auto";
    std::int64_t threads = 0;
    bool json = false;  // one object as the last line of stdout
};

class JobRecord {
  public:
    // `config`: the settings as the record shows them; `identity`: what decides the numbers. A finished run is found again only while `output` is what
    // it wrote; empty: its outputs lie in its directory.
    JobRecord(const JobOptions& options, const Json& config, const std::string& identity, const std::filesystem::path& output);

    bool finished_already() const { return finished_already_; }
    bool resumed() const { return resumed_; }
    const RunDirectory& directory() const { return directory_; }
    std::filesystem::path parts() const { return directory_.path() / "parts"; }  // made by begin() on a stream, removed by finish()
    RunRecord& record() { return record_; }

    void begin(const Stream& stream, int ranks);
    void begin(const RunEnvironment& environment);                                                  // of a job without a stream of its own
    void stage(const std::string& name);                                                            // begins one, and ends the one before; saved
    void add_output(const std::string& role, const std::filesystem::path& path);                    // a file, or each file of a directory
    void finish(const Json& metrics, const RunPerformance& performance, bool with_report = false);  // report.html as well
    void preempted(const std::string& message = "stopped by a signal, state saved");
    void end(RunStatus status, int exit_code, const std::string& message);
    void failed(const std::exception& error);  // preempted, where it says that the job is to be queued again
    Json result() const;                       // run_id, run_dir, status, metrics

  private:
    static RunDirectory find(const JobOptions& options, const std::string& identity, bool& resumed);
    bool wrote(const std::filesystem::path& output) const;
    void settle(const std::filesystem::path& output);
    const JobOptions& options_;
    Json config_;
    std::string identity_;
    bool resumed_ = false, finished_already_ = false;
    RunDirectory directory_;
    RunRecord record_;
    std::optional<RunMeter> meter_;
    Tracking tracking_;  // from begin() on, by the environment
};

using RecordedWork = std::function<Json(JobRecord&, RunPerformance&)>;
// `work` as a job that makes its outputs in one go and is not resumed: a record of its own each time, in which a failure ends as well. The work
// adds data and outputs to it; what it returns are the metrics. What it does
// not say of peak memory is measured. The job's result().
Json run_recorded(const JobOptions& options, const Json& config, const RunEnvironment& environment, const RecordedWork& work);

}  // namespace temper
