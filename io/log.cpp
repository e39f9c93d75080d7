#include "io/log.h"

#include <atomic>
#include <cstdio>
#include <ctime>

#include <unistd.h>

#include "io/environment.h"

namespace temper {
namespace {

std::atomic<LogLevel> least_level = LogLevel::info;
std::atomic<int> log_rank = 0, log_size = 1;

void write_stderr(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);  // one call: lines of several ranks do not mix inside
    std::fflush(stderr);
}

bool stderr_is_terminal() {
    const std::string kind = environment_text("TERM");
    return ::isatty(STDERR_FILENO) == 1 && !kind.empty() && kind != "dumb";
}

bool colour_wanted() { return environment_text("NO_COLOR").empty(); }

}  // namespace

void Console::line(const std::string& text) {
    const std::lock_guard lock(mutex_);
    write_((open_ ? "\r\x1b[K" : "") + text + "\n");
    open_ = false;
}

void Console::transient(const std::string& text) {
    if (!terminal_) return;
    const std::lock_guard lock(mutex_);
    write_("\r" + text + "\x1b[K");
    open_ = true;
}

void Console::end_transient() {
    const std::lock_guard lock(mutex_);
    if (open_) write_("\n");
    open_ = false;
}

Console& console() {
    static Console instance(write_stderr, stderr_is_terminal(), stderr_is_terminal() && colour_wanted());
    return instance;
}

void set_log_level(LogLevel least) { least_level = least; }

void set_log_rank(int rank, int size) {
    log_rank = rank;
    log_size = size;
}

std::string format_log_line(LogLevel level, const std::string& text, std::int64_t unix_seconds, int rank, int size, bool colour) {
    static const char* const names[] = {"debug: ", "", "warning: ", "error: "};
    static const char* const colours[] = {"\x1b[2m", "", "\x1b[33m", "\x1b[31m"};
    const auto index = static_cast<std::size_t>(level);
    const std::int64_t day = unix_seconds % 86400;
    std::string line = fmt::format("{:02}:{:02}:{:02} ", day / 3600, day / 60 % 60, day % 60);
    if (size > 1) line += fmt::format("[rank {}/{}] ", rank, size);
    const bool coloured = colour && *colours[index] != '\0';
    return line + (coloured ? colours[index] : "") + names[index] + (coloured ? "\x1b[0m" : "") + text;
}

void log_line(LogLevel level, const std::string& text) {
    if (level < least_level.load()) return;
    console().line(format_log_line(level, text, std::time(nullptr), log_rank, log_size, console().colour()));
}

}  // namespace temper
