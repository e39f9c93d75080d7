#include "runs/child_process.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/error.h"
#include "runs/attempt.h"

namespace temper {
namespace {

constexpr std::array passed_on{SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGINT};
// A grandchild may keep the pipes open; its output is waited for so long after the child's end.
constexpr double seconds_for_the_rest = 2.0;

std::atomic<pid_t> child_of_signals{0};
static_assert(std::atomic<pid_t>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void pass_on(int number, siginfo_t* from, void*) {
    const int saved = errno;
    if (const pid_t child = child_of_signals.load(); child > 0 && from->si_code <= 0) ::kill(child, number);
    errno = saved;
}

class PassSignalsOn {
  public:
    PassSignalsOn() {
        for (std::size_t i = 0; i < passed_on.size(); ++i) {
            struct sigaction action {};
            action.sa_sigaction = pass_on;
            action.sa_flags = SA_SIGINFO | SA_RESTART;
            sigemptyset(&action.sa_mask);
            sigaction(passed_on[i], &action, &before_[i]);
        }
        pipe_before_ = ::signal(SIGPIPE, SIG_IGN);  // whoever reads our output may go away before the child has ended
    }
    ~PassSignalsOn() {
        child_of_signals.store(0);
        for (std::size_t i = 0; i < passed_on.size(); ++i) sigaction(passed_on[i], &before_[i], nullptr);
        ::signal(SIGPIPE, pipe_before_);
    }
    PassSignalsOn(const PassSignalsOn&) = delete;
    PassSignalsOn& operator=(const PassSignalsOn&) = delete;

  private:
    std::array<struct sigaction, passed_on.size()> before_{};
    void (*pipe_before_)(int) = SIG_DFL;
};

struct Pipe {
    int read = -1, write = -1;
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw_error(ExitCode::io_error, "pipe: {}", std::strerror(errno));
        read = ends[0];
        write = ends[1];
    }
    ~Pipe() { close_both(); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_write() {
        if (write >= 0) ::close(write);
        write = -1;
    }
    void close_read() {
        if (read >= 0) ::close(read);
        read = -1;
    }
    void close_both() {
        close_write();
        close_read();
    }
};

// In the child: nothing but system calls from here to exec.
[[noreturn]] void become(char* const* words, char* const* environment, const Pipe& out, const Pipe& err, const Pipe& start, const sigset_t& mask) {
    for (const int number : passed_on) ::signal(number, SIG_DFL);
    ::signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // without us it would go on unrecorded, beside the one that is started again
    dup2(out.write, STDOUT_FILENO);
    dup2(err.write, STDERR_FILENO);
    execvpe(words[0], words, environment);
    const int error = errno;
    [[maybe_unused]] const ssize_t told = ::write(start.write, &error, sizeof error);
    _exit(127);
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
    std::vector<std::string> lines;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string line = *entry;
        if (!added.contains(line.substr(0, line.find('=')))) lines.push_back(line);
    }
    for (const auto& [name, value] : added) lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& lines) {
    std::vector<char*> list;
    for (std::string& line : lines) list.push_back(line.data());
    list.push_back(nullptr);
    return list;
}

bool has_ended(pid_t child) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

// Until both pipes are closed, or the child is gone and has said nothing for a while.
void read_output(pid_t child, Pipe& out, Pipe& err, const std::function<void(std::string_view, bool)>& give) {
    std::array<char, 65536> buffer;
    double ended = -1;
    while (out.read >= 0 || err.read >= 0) {
        pollfd waiting[] = {{out.read, POLLIN, 0}, {err.read, POLLIN, 0}};  // negative ones are passed over
        if (poll(waiting, 2, 200) < 0 && errno != EINTR) throw_error(ExitCode::io_error, "poll: {}", std::strerror(errno));
        bool something = false;
        for (Pipe* pipe : {&out, &err}) {
            if (pipe->read < 0 || waiting[pipe == &err ? 1 : 0].revents == 0) continue;
            const ssize_t count = ::read(pipe->read, buffer.data(), buffer.size());
            if (count > 0) give({buffer.data(), static_cast<std::size_t>(count)}, pipe == &err);
            else if (count == 0 || errno != EINTR) pipe->close_read();
            something = true;
        }
        if (something) ended = -1;
        else if (ended < 0 && has_ended(child)) ended = monotonic_seconds();
        else if (ended >= 0 && monotonic_seconds() - ended > seconds_for_the_rest) return;
    }
}

}  // namespace

ChildEnd run_child(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                   const std::function<void(std::string_view, bool)>& out) {
    std::vector<std::string> copies = words, lines = environment_with(environment);
    const std::vector<char*> arguments = pointers(copies), variables = pointers(lines);
    Pipe output, errors, start;
    // A signal that arrives before the child's number is known waits until it is.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    const PassSignalsOn handlers;
    const pid_t child = fork();
    if (child == 0) become(arguments.data(), variables.data(), output, errors, start, before);
    child_of_signals.store(child);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) throw_error(ExitCode::io_error, "fork: {}", std::strerror(errno));
    for (Pipe* pipe : {&output, &errors, &start}) pipe->close_write();

    ChildEnd end;
    ssize_t told = 0;
    do told = ::read(start.read, &end.start_error, sizeof end.start_error);
    while (told < 0 && errno == EINTR);
    if (told != sizeof end.start_error) end.start_error = 0;
    read_output(child, output, errors, out);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    child_of_signals.store(0);
    if (end.start_error != 0) {
        end.exit_code = end.start_error == ENOENT ? 127 : 126;
    } else if (WIFSIGNALED(status)) {
        end.signal = WTERMSIG(status);
        end.exit_code = 128 + end.signal;
    } else {
        end.exit_code = WEXITSTATUS(status);
    }
    return end;
}

}  // namespace temper
