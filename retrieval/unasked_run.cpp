#include "retrieval/unasked_run.h"

#include "io/log.h"
#include "kernels/error.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"

namespace temper {

void reopen_unasked_run(const std::filesystem::path& output_dir, const std::string& run_name, const std::string& identity,
                        const std::function<bool(const std::filesystem::path& run, const Json& record)>& goes_on) {
    std::optional<RunDirectory> directory = RunDirectory::find_resumable(output_dir, run_name, identity);
    const auto is_open = [&] {
        const RunRecord record = RunRecord::open(directory->record());
        return record.status() != "finished" || !goes_on(directory->path(), record.fields());
    };
    if (!directory || is_open()) return;
    directory->take_ownership();
    if (is_open()) return;  // another process was first
    RunRecord record = RunRecord::open(directory->record());
    record.set_status(RunStatus::preempted, static_cast<int>(ExitCode::requeue), "max_cost is higher now: questions that were left are asked");
    record.save();
    log_info("{}: max_cost had ended it, and more may be spent now", directory->path().string());
}

}  // namespace temper
