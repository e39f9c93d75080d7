#include "runs/foreign_step.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/log.h"
#include "kernels/error.h"
#include "runs/child_process.h"
#include "runs/report.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// output.log: appended as it comes, so that it is there whatever ends us.
class OutputLog {
  public:
    explicit OutputLog(fs::path path) : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
        if (file_ < 0) throw_error(ExitCode::io_error, "{}: open: {}", path_.string(), std::strerror(errno));
    }
    ~OutputLog() { ::close(file_); }
    OutputLog(const OutputLog&) = delete;
    OutputLog& operator=(const OutputLog&) = delete;

    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::write(file_, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) throw_error(ExitCode::io_error, "{}: write: {}", path_.string(), std::strerror(errno));
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    void sync() { ::fsync(file_); }

  private:
    fs::path path_;
    int file_;
};

std::string identity_of(const StepOptions& options, const fs::path& folder) {
    std::string text = "exec\n" + folder.string() + "\n";
    for (const std::string& word : options.words) text += fmt::format("{} {}\n", word.size(), word);
    return sha256_hex(text);
}

std::string description(const ChildEnd& end, const std::string& program) {
    if (end.start_error != 0) return fmt::format("{}: cannot be started: {}", program, std::strerror(end.start_error));
    if (end.signal != 0) return fmt::format("ended by signal {} ({})", end.signal, strsignal(end.signal));
    return end.exit_code == 0 ? "" : fmt::format("exit code {}", end.exit_code);
}

int run_step(const StepOptions& options, JobRecord& job) {
    const fs::path folder = fs::absolute(job.directory().path());
    RunEnvironment environment;
    environment.device = "none";
    job.begin(environment);
    OutputLog log(folder / "output.log");
    const auto pass = [&](std::string_view bytes, bool to_stderr) {
        log.add(bytes);
        FILE* const stream = to_stderr ? stderr : stdout;
        std::fwrite(bytes.data(), 1, bytes.size(), stream);
        std::fflush(stream);
        std::clearerr(stream);  // a reader that is gone does not stop the step
    };
    const ChildEnd end = run_child(options.words, {{"TEMPER_PARENT_RUN_ID", job.directory().id()}, {"TEMPER_RUN_DIR", folder.string()}}, pass);
    log.sync();
    job.add_output("log", folder / "output.log");
    RunPerformance performance;
    rusage use{};
    if (getrusage(RUSAGE_CHILDREN, &use) == 0) performance.peak_memory_bytes = std::int64_t(use.ru_maxrss) * 1024;
    job.record().set_performance(performance);
    const RunStatus status = end.exit_code == 0                                     ? RunStatus::finished
                             : end.exit_code == static_cast<int>(ExitCode::requeue) ? RunStatus::preempted
                                                                                    : RunStatus::failed;
    const std::string message = description(end, options.words[0]);
    job.end(status, end.exit_code, message);
    write_report_or_warn(folder);
    if (!message.empty()) console().line("temper: " + message);
    return end.exit_code;
}

}  // namespace

StepEnd run_foreign_step(const StepOptions& options) {
    if (options.words.empty()) throw_error(ExitCode::usage, "runs exec: no command is given, expected -- CMD ARGS...");
    const fs::path folder = fs::current_path();
    const Json config{{"command", options.words}, {"folder", folder.string()}};
    JobRecord job(options, config, identity_of(options, folder), {});
    const std::string path = job.directory().path().string();
    if (job.finished_already()) {
        console().line(fmt::format("temper: run {} is finished already", path));
        return {0, job.result()};
    }
    console().line(fmt::format("temper: {} {}", job.resumed() ? "continuing run" : "run", path));
    try {
        const int code = run_step(options, job);
        return {code, job.result()};
    } catch (const std::exception& error) {
        job.failed(error);
        throw;
    }
}

}  // namespace temper
