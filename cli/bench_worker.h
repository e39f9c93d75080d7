// A process that does one workload on request, so that two builds can be timed in turns, unit by unit. Internal to cli/.
// The protocol is lines on stdin and stdout: "run" is answered by "SECONDS FIGURE", "peak" by the peak in FLOP/s; end of input ends it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"

namespace temper {

// Adds the hidden end of it, `temper bench worker`.
void add_bench_worker(Command& bench);

class WorkerProcess {
  public:
    // io_error when the program cannot be started.
    WorkerProcess(const std::string& program, const std::vector<std::string>& arguments);
    ~WorkerProcess();
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;

    struct Unit {
        double seconds = 0.0, figure = 0.0;
    };
    Unit run();
    double peak();  // FLOP/s

  private:
    std::string ask(const std::string& request);  // io_error when the worker ended instead of answering
    [[noreturn]] void explain_end(const std::string& request);

    std::string program_;
    int process_ = -1;
    int requests_ = -1, answers_ = -1;
};

}  // namespace temper
