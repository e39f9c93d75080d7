#include "eval/evaluation_run.h"

#include "io/comm/job_ranks.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "kernels/error.h"

namespace temper {

EvaluationRun::EvaluationRun(const JobOptions& options, Comm& comm)
    : options_(options), comm_(comm), stream_(open_stream(options.device, local_rank(), resolve_threads(options.threads), parse_isa(options.isa))) {}

void EvaluationRun::show_report(const RunDirectory& run) {
    if (std::filesystem::exists(run.report())) console().line(fmt::format("temper: report {}", run.report().string()));
}

int EvaluationRun::run() {
    const double started = Progress::steady_seconds();
    load();
    std::optional<JobRecord> job;
    Json start;
    if (comm_.rank() == 0) {
        job.emplace(options_, config(), identity(), std::filesystem::path());
        start = {{"finished", job->finished_already()}, {"parts", job->parts().string()}};
        console().line(fmt::format("temper: {} {}", job->resumed() ? "continuing run" : "run", job->directory().path().string()));
    }
    start = broadcast_json(comm_, start);
    if (start.at("finished").get<bool>()) {
        if (!job) return 0;
        console().line(fmt::format("temper: run {} is finished already", job->directory().path().string()));
        try {
            show(job->directory());
            show_report(job->directory());
        } catch (const std::exception& error) {  // the run is finished all the same
            log_warning("{}", error.what());
        }
        if (options_.json) print_result(job->result());
        return 0;
    }
    try {
        if (job) {
            job->begin(stream_, comm_.size());
            begin(*job);
            job->stage("evaluate");
        }
        answer(start.at("parts").get<std::string>());
        if (job) {
            finish(*job, Progress::steady_seconds() - started);
            show_report(job->directory());
        }
        comm_.barrier();
        return 0;
    } catch (const std::exception& error) {
        if (job) job->failed(error);
        throw;
    }
}

}  // namespace temper
