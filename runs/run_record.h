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
    int ranks = 1, threads = 1;
    // host, cpu, cores, memory_bytes and job are found by set_environment
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
    void set_parent(const std::string& run_id);
    void set_command(const std::vector<std::string>& arguments);
    void set_config(const Json& resolved, const std::string& hash);
    void set_environment(const RunEnvironment& environment);
    void set_algorithms(const std::string& sha256);  // of the table that a CUDA run's matrix products follow
    void add_data(const std::string& role, const std::filesystem::path& path, const std::string& sha256,
                  std::int64_t rows);  // role: train, eval; rows: -1 where not counted
    void set_data_report(const Json& report);
    void set_tag(const std::string& name, const std::string& value);
    void set_metrics(const Json& final_metrics);
    void set_performance(const RunPerformance& performance);
    // Hashes the file; `path` is kept relative to the run's directory where it lies inside. Replaces an artifact of the same path.
    void add_artifact(const std::string& role, const std::filesystem::path& path);
    std::string text() const;  // what save() writes
    void save() const;

  private:
    RunRecord(std::filesystem::path path, Json fields) : path_(std::move(path)), fields_(std::move(fields)) {}
    std::filesystem::path path_;
    Json fields_;
};

std::string utc_now();  // 2026-11-21T09:30:00.123456Z

}  // namespace temper
