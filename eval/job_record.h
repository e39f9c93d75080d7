// The run's directory and record of a batch job (embed, rerank): made or found again, owned while the job works. Rank 0 only.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kernels/stream.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"

namespace temper {

// What a job is told by the command line beside its own settings.
struct JobOptions {
    std::string output_dir = "runs", run_name, resume = "auto";  // auto: goes on with the newest run of this name and these settings; no
    std::string device = "auto", isa = "auto";
    std::int64_t threads = 0;
    bool json = false;  // one object as the last line of stdout
    std::vector<std::string> command_line;
    std::map<std::string, std::string> versions;  // of this build and its libraries; "git" names the commit
};

class JobRecord {
  public:
    // `config`: the settings as the record shows them; `identity`: what decides the numbers. A finished run is found again only while `output` is what
    // it wrote; empty: its outputs lie in its directory.
    JobRecord(const JobOptions& options, const Json& config, const std::string& identity, const std::filesystem::path& output);

    bool finished_already() const { return finished_already_; }
    bool resumed() const { return resumed_; }
    const RunDirectory& directory() const { return directory_; }
    std::filesystem::path parts() const { return directory_.path() / "parts"; }
    RunRecord& record() { return record_; }

    void begin(const Stream& stream, int ranks);
    void finish(const Json& metrics, const RunPerformance& performance, const std::filesystem::path& output);
    void preempted();
    void failed(const std::exception& error);
    Json result() const;

  private:
    static RunDirectory find(const JobOptions& options, const std::string& identity, bool& resumed);
    bool wrote(const std::filesystem::path& output) const;
    const JobOptions& options_;
    Json config_;
    std::string identity_;
    bool resumed_ = false, finished_already_ = false;
    RunDirectory directory_;
    RunRecord record_;
};

}  // namespace temper
