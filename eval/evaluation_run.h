// The frame of a job that evaluates: rank 0's record, made or found again, and its end; the answers are the work of all ranks.
#pragma once
#include <filesystem>
#include <string>

#include "io/comm/comm.h"
#include "kernels/stream.h"
#include "runs/job_record.h"

namespace temper {

class EvaluationRun {
  public:
    EvaluationRun(const JobOptions& options, Comm& comm);
    virtual ~EvaluationRun() = default;
    // The exit code, 0. Everything else is an Error, and rank 0's record says so; one that was stopped by a signal is preempted.
    int run();

  protected:
    Comm& comm() { return comm_; }
    Stream& stream() { return stream_; }

  private:
    static void show_report(const RunDirectory& run);             // where it lies, if there is one
    virtual void load() = 0;                                      // all ranks: what is asked, before a run is made for it
    virtual Json config() const = 0;                              // rank 0: the settings as the record shows them
    virtual std::string identity() const = 0;                     // rank 0: what decides the numbers
    virtual void begin(JobRecord& job) = 0;                       // rank 0: data that the record names
    virtual void answer(const std::filesystem::path& parts) = 0;  // all ranks; answers are kept below `parts`, and found again
    virtual void finish(JobRecord& job, double seconds) = 0;      // rank 0: results are written, the record ends
    virtual void show(const RunDirectory& run) = 0;               // rank 0: the results of a finished run, for a person

    const JobOptions& options_;
    Comm& comm_;
    Stream stream_;
};

}  // namespace temper
