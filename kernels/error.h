// Every failure that a user, their data or their machine can cause is an Error: a message that names the place, what was found,
// what was expected and what to do, and the exit code that the program ends with. Our own mistakes are assertions.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace temper {

enum class ExitCode : int {
    done = 0,
    internal = 1,  // a fault of temper itself
    usage = 2,     // command line or configuration
    gate_failed = 3,
    non_finite = 17,  // loss or gradient
    bad_data = 65,
    missing_input = 66,
    run_locked = 73,  // another job owns the run directory
    io_error = 74,
    requeue = 75,  // stopped by a signal, state saved
    peer_lost = 76,
    no_checkpoint = 78,
    nothing_to_do = 99,
};

class Error : public std::runtime_error {
  public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const { return code_; }

  private:
    ExitCode code_;
};

// throw_error(ExitCode::bad_data, "{}:{}: expected an object, found {}", path, line, kind);
template <class... Args> [[noreturn]] void throw_error(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// The exit code of whatever was caught: an Error's own, io_error for the standard library's file errors, else internal.
ExitCode exit_code_of(const std::exception& error);

}  // namespace temper
