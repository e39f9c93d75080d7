// run.json: what was run, on what, with which result. One ordered JSON object, described by runs/run_record.schema.json; every change is
// made in memory and reaches the disk, whole, by save().
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

enum class RunStatus { running, finished, failed, preempted };
std::string run_status_name(RunStatus status);

struct RunEnvironment {
    Json versions = Json::object();  // temper, compiler, blas, mpi, hdf5, cuda ... -> text
    std::string isa, git, device;
    std::string device_name;  // of a GPU
    int ranks = 1, threads = 1;
    // host, hosts, cpu, cores, memory_bytes and job are found by set_environment
};

struct RunPerformance {       // negative or zero: not known, left out of the record
    double seconds = 0;       // wall time of this attempt's whole steps
    std::int64_t tokens = 0;  // real tokens, prompt included
    double tokens_per_second = 0;
    double flops_per_second = 0;
    double share_of_peak = 0;                   // of the measured peak, 0 .. 1
    std::int64_t peak_memory_bytes = 0;         // over all ranks: the largest
    std::int64_t peak_device_memory_bytes = 0;  // the same of a CUDA device: what the program has taken of it
    double cost = 0;
    // RunMeter adds wall_seconds, cpu_seconds, device_seconds and energy_joules.
};

class RunRecord {
  public:
    static RunRecord create(const std::filesystem::path& path, const std::string& run_id, const std::string& run_name,
                            const std::string& config_hash);
    static RunRecord open(const std::filesystem::path& path);  // missing_input, bad_data

    Json& fields() { return fields_; }
    const Json& fields() const { return fields_; }
    std::string status() const;

    void set_status(RunStatus status, int exit_code = 0, const std::string& message = "");
    void set_kind(const std::string& command);       // sft, eval, exec ...
    void set_parent(const std::string& run_id);      // whose adapter or checkpoint this run began from
    void set_parent_run(const std::string& run_id);  // that this run is a stage of
    // A stage ends the one before it, and ends with the run, as the run does. One that was open when its process died is interrupted.
    void begin_stage(const std::string& name);
    void end_stage(RunStatus status = RunStatus::finished);
    void set_command(const std::vector<std::string>& arguments);
    void set_config(const Json& resolved, const std::string& hash);
    void set_environment(const RunEnvironment& environment);
    void set_algorithms(const std::string& sha256);  // of the table that a CUDA run's matrix products follow
    void add_data(const std::string& role, const std::filesystem::path& path, const std::string& sha256,
                  std::int64_t rows);  // role: train, eval; rows: -1 where not counted
    void set_data_report(const Json& report);
    void set_tag(const std::string& name, const std::string& value);
    void set_param(const std::string& name, const Json& value);  // text, number or truth
    void set_metrics(const Json& final_metrics);
    void set_metric(const std::string& name, double value);
    // In place of what was set before; the figures of RunMeter stay.
    void set_performance(const RunPerformance& performance);
    // Tokens of an endpoint's model in all attempts; in place of what was said of the same one.
    void set_usage(const std::string& endpoint, const std::string& model, std::int64_t prompt_tokens, std::int64_t completion_tokens);
    // Hashes the file; `path` is kept relative to the run's directory where it lies inside. Replaces an artifact of the same path.
    void add_artifact(const std::string& role, const std::filesystem::path& path);
    std::string text() const;
    // With what `temper runs log` has said meanwhile (record_log.h), which fields() holds from then on.
    void save();
    // run.json with what was logged, by a process that does not own the run.
    static void fold_into(const std::filesystem::path& run);

  private:
    void write();
    RunRecord(std::filesystem::path path, Json fields) : path_(std::move(path)), fields_(std::move(fields)) {}
    std::filesystem::path path_;
    Json fields_;
    double stage_began_ = -1;  // of the open stage, monotonic; negative where another process began it
};

std::string utc_now();  // 2026-11-21T09:30:00.123456Z

}  // namespace temper
