// What a person sees: lines on stderr. stdout belongs to results.
// A line reads "12:00:01 [rank 1/4] warning: text": UTC, the rank where there are several, the level where it is not information.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace temper {

// The one writer of a terminal or a log file: whole lines, and one transient line at the bottom that later writes replace. Thread-safe.
class Console {
  public:
    using Write = std::function<void(const std::string&)>;
    Console(Write write, bool terminal, bool colour) : write_(std::move(write)), terminal_(terminal), colour_(colour) {}

    void line(const std::string& text);
    void transient(const std::string& text);  // only on a terminal
    void end_transient();                     // keeps what stands there and goes to the next line
    bool terminal() const { return terminal_; }
    bool colour() const { return colour_; }

  private:
    Write write_;
    bool terminal_, colour_;
    bool open_ = false;  // a transient line stands at the bottom
    std::mutex mutex_;
};
Console& console();  // stderr; colour on a terminal, unless NO_COLOR is set and not empty

enum class LogLevel : std::uint8_t { debug, info, warning, error };
void set_log_level(LogLevel least);     // information by default
void set_log_rank(int rank, int size);  // the prefix appears when size > 1
void log_line(LogLevel level, const std::string& text);
// The line without its end; for tests of the form.
std::string format_log_line(LogLevel level, const std::string& text, std::int64_t unix_seconds, int rank, int size, bool colour);

template <class... Args> void log_debug(fmt::format_string<Args...> format, Args&&... args) {
    log_line(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args> void log_info(fmt::format_string<Args...> format, Args&&... args) {
    log_line(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args> void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    log_line(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args> void log_error(fmt::format_string<Args...> format, Args&&... args) {
    log_line(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace temper
