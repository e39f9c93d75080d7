#include "retrieval/pdf_text.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/progress.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string find_program() {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "/usr/bin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string program = folder + "/pdftotext";
        if (!folder.empty() && access(program.c_str(), X_OK) == 0) return program;
    }
    return "";
}

// A child with its output on a pipe; killed and waited for at the end of its life here.
class Child {
  public:
    Child(const std::string& program, const std::string& file, double seconds) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw_error(ExitCode::io_error, "{}: pipe: {}", file, std::strerror(errno));
        // All that the child needs is made before the fork: behind it only system calls are allowed.
        const char* const arguments[] = {program.c_str(), "-q", "-enc", "UTF-8", file.c_str(), "-", nullptr};
        const rlimit time{static_cast<rlim_t>(seconds) + 1, static_cast<rlim_t>(seconds) + 2}, memory{rlim_t(4) << 30, rlim_t(4) << 30};
        pid_ = fork();
        if (pid_ == 0) {
            const int nothing = open("/dev/null", O_RDWR);
            dup2(nothing, STDIN_FILENO);
            dup2(ends[1], STDOUT_FILENO);
            dup2(nothing, STDERR_FILENO);
            setrlimit(RLIMIT_CPU, &time);
            setrlimit(RLIMIT_AS, &memory);
            execv(program.c_str(), const_cast<char* const*>(arguments));
            _exit(127);
        }
        close(ends[1]);
        output_ = ends[0];
        if (pid_ < 0) {
            close(output_);
            throw_error(ExitCode::io_error, "{}: fork for pdftotext: {}", file, std::strerror(errno));
        }
    }
    ~Child() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            wait();
        }
        close(output_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    int output() const { return output_; }
    int wait() {
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = -1;
        return status;
    }

  private:
    pid_t pid_ = -1;
    int output_ = -1;
};

}  // namespace

bool has_pdf_reader() { return !find_program().empty(); }

std::string read_pdf(const std::filesystem::path& path, const PdfLimits& limits) {
    const std::string program = find_program();
    if (program.empty()) throw_error(ExitCode::bad_data, "{}: pdftotext is not installed (Debian: poppler-utils)", path.string());
    const std::string file = std::filesystem::absolute(path).string();  // so that no name looks like an option
    const double until = Progress::steady_seconds() + limits.seconds;
    Child child(program, file, limits.seconds);
    std::string text;
    char buffer[1 << 16];
    while (true) {
        const double left = until - Progress::steady_seconds();
        pollfd ready{child.output(), POLLIN, 0};
        const int changed = left <= 0 ? 0 : poll(&ready, 1, static_cast<int>(left * 1000) + 1);
        if (changed < 0 && errno == EINTR) continue;
        if (changed <= 0)
            throw_error(ExitCode::bad_data, "{}: pdftotext took more than {} s: raise cleaning.pdf_seconds", path.string(), limits.seconds);
        const ssize_t count = read(child.output(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_error(ExitCode::io_error, "{}: reading from pdftotext: {}", path.string(), std::strerror(errno));
        if (count == 0) break;
        for (ssize_t i = 0; i < count; ++i)
            if (buffer[i] == '\f') text += "\n\n";
            else text += buffer[i];
        if (text.size() > limits.text_bytes)
            throw_error(ExitCode::bad_data, "{}: more than {} bytes of text: raise cleaning.max_file_bytes", path.string(), limits.text_bytes);
    }
    const int status = child.wait();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw_error(ExitCode::bad_data, "{}: pdftotext cannot read it ({} {}): is it a PDF, and not encrypted?", path.string(),
                    WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return text;
}

}  // namespace temper
