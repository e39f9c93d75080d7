#include "cli/bench_worker.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench_workloads.h"
#include "io/jsonl.h"
#include "io/machine.h"
#include "kernels/error.h"
#include "kernels/peak.h"

namespace temper {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int cannot_start = 127;

struct Arguments {
    std::string workload;
    std::int64_t threads = 0;
    double slow_down = 0.0;
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

int serve(const Arguments& arguments) {
    if (!(arguments.slow_down >= 0.0)) throw_error(ExitCode::usage, "--slow-down: expected a share of at least 0, found {}", arguments.slow_down);
    Stream stream(resolve_threads(arguments.threads));
    const Workload workload = make_workload(arguments.workload, stream);
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "run") {
            const auto begin = Clock::now();
            const double figure = workload.run();
            const double end = seconds_since(begin) * (1.0 + arguments.slow_down);
            double seconds = seconds_since(begin);
            while (seconds < end) seconds = seconds_since(begin);
            std::printf("%.9g %.17g\n", seconds, figure);
        } else if (line == "peak") {
            std::printf("%.9g\n", peak_flops(stream, DType::bf16));
        } else {
            throw_error(ExitCode::usage, "bench worker: found the request '{}', expected run or peak", line);
        }
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace

void add_bench_worker(Command& bench) {
    auto arguments = std::make_shared<Arguments>();
    Command& command =
        bench.command("worker", "The other end of `bench suite`: does a workload for every line \"run\" on stdin and prints its time.");
    command.required("--workload", arguments->workload, "NAME", "One of `temper bench suite --help`.");
    command.option("--threads", arguments->threads, "N", "Threads; 0 takes OMP_NUM_THREADS or the cores allowed.");
    command.option("--slow-down", arguments->slow_down, "SHARE", "Makes every unit longer by this share, to test what finds it.");
    command.runs([arguments] { return serve(*arguments); });
}

WorkerProcess::WorkerProcess(const std::string& program, const std::vector<std::string>& arguments) : program_(program) {
    int to_worker[2], from_worker[2];
    if (::pipe2(to_worker, O_CLOEXEC) != 0 || ::pipe2(from_worker, O_CLOEXEC) != 0)
        throw_error(ExitCode::io_error, "bench: pipe: {}", std::strerror(errno));
    std::vector<std::string> text{program};
    text.insert(text.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& argument : text) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    process_ = ::fork();
    if (process_ < 0) throw_error(ExitCode::io_error, "bench: fork: {}", std::strerror(errno));
    if (process_ == 0) {
        ::dup2(to_worker[0], STDIN_FILENO);
        ::dup2(from_worker[1], STDOUT_FILENO);
        // While one worker computes, the idle threads of the other must not spin on its cores.
        ::setenv("OMP_WAIT_POLICY", "passive", 1);
        ::execv(program.c_str(), pointers.data());
        ::_exit(cannot_start);
    }
    ::close(to_worker[0]);
    ::close(from_worker[1]);
    requests_ = to_worker[1];
    answers_ = from_worker[0];
}

WorkerProcess::~WorkerProcess() {
    ::close(requests_);
    ::close(answers_);
    int status = 0;
    while (process_ > 0 && ::waitpid(process_, &status, 0) < 0 && errno == EINTR) {}
}

std::string WorkerProcess::ask(const std::string& request) {
    const std::string line = request + "\n";
    bool sent = ::write(requests_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    std::string answer;
    for (char c = 0; sent && c != '\n';) {
        const ssize_t got = ::read(answers_, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) sent = false;
        else answer += c;
    }
    if (!sent) explain_end(request);
    return answer;
}

void WorkerProcess::explain_end(const std::string& request) {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {}
    process_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_start) throw_error(ExitCode::io_error, "{}: cannot be started", program_);
    const std::string how = WIFEXITED(status) ? fmt::format("exit {}", WEXITSTATUS(status)) : fmt::format("signal {}", WTERMSIG(status));
    throw_error(ExitCode::io_error, "{}: ended with {} before it answered '{}': expected a temper that has `bench worker`", program_, how, request);
}

WorkerProcess::Unit WorkerProcess::run() {
    const std::string answer = ask("run");
    Unit unit;
    if (std::sscanf(answer.c_str(), "%lf %lf", &unit.seconds, &unit.figure) != 2 || !(unit.seconds > 0.0))
        throw_error(ExitCode::internal, "{}: `bench worker` answered '{}', expected seconds and a figure", program_, answer);
    return unit;
}

double WorkerProcess::peak() {
    const std::string answer = ask("peak");
    double flops = 0.0;
    if (std::sscanf(answer.c_str(), "%lf", &flops) != 1 || !(flops > 0.0))
        throw_error(ExitCode::internal, "{}: `bench worker` answered '{}', expected FLOP/s", program_, answer);
    return flops;
}

}  // namespace temper
