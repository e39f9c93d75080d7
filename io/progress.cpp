#include "io/progress.h"

#include <algorithm>
#include <cmath>

namespace temper {
namespace {

constexpr double terminal_interval = 0.1, line_interval = 10.0;
constexpr int bar_width = 24;

std::string bar(double share) {
    const int filled = static_cast<int>(std::floor(share * bar_width));
    return "[" + std::string(static_cast<std::size_t>(filled), '#') + std::string(static_cast<std::size_t>(bar_width - filled), '.') + "]";
}

}  // namespace

std::string format_duration(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

double Progress::steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Progress::Progress(std::string label, std::int64_t total, std::int64_t done, Console& where, Clock clock)
    : label_(std::move(label)), total_(total), start_(done), done_(done), console_(where), clock_(std::move(clock)) {
    started_ = clock_();
    shown_ = console_.terminal() ? started_ - terminal_interval : started_;  // a log's first line comes after the first interval
}

Progress::~Progress() {
    try {
        finish();
    } catch (...) {  // a lost last line is no reason to end the program
    }
}

void Progress::update(std::int64_t done, std::int64_t tokens, const std::string& detail) {
    done_ = done;
    tokens_ = tokens;
    detail_ = detail;
    pending_ = true;
    const double now = clock_();
    if (now - shown_ >= (console_.terminal() ? terminal_interval : line_interval)) show(now);
}

void Progress::finish() {
    if (finished_) return;
    finished_ = true;
    if (pending_) show(clock_());
    console_.end_transient();
}

void Progress::show(double now) {
    shown_ = now;
    pending_ = false;
    if (console_.terminal()) {
        console_.transient(text(now));
    } else {
        console_.line(text(now));
    }
}

std::string Progress::text(double now) const {
    const double elapsed = now - started_;
    std::string line = label_;
    if (total_ > 0) {
        const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
        if (console_.terminal()) line += " " + bar(share);
        line += fmt::format(" {}/{} {:.0f}%", done_, total_, std::floor(100 * share));
    } else {
        line += fmt::format(" {}", done_);
    }
    line += " " + format_duration(elapsed);
    const std::int64_t here = done_ - start_;
    if (total_ > 0 && here > 0) line += " ETA " + format_duration(elapsed / static_cast<double>(here) * static_cast<double>(total_ - done_));
    if (tokens_ > 0 && elapsed > 0) line += fmt::format(" {:.0f} tokens/s", static_cast<double>(tokens_) / elapsed);
    return detail_.empty() ? line : line + " " + detail_;
}

}  // namespace temper
