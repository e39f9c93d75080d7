#include "runs/trackers/row_times.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace temper {
namespace {

constexpr std::size_t most_marks = 16384;  // in memory; the file keeps them all

}  // namespace

std::int64_t unix_milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t unix_milliseconds(const std::string& utc) {
    std::tm time{};
    double seconds = 0;
    if (std::sscanf(utc.c_str(), "%4d-%2d-%2dT%2d:%2d:%lfZ", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &time.tm_min, &seconds) != 6)
        return 0;
    time.tm_year -= 1900;
    --time.tm_mon;
    return static_cast<std::int64_t>(timegm(&time)) * 1000 + static_cast<std::int64_t>(std::llround(seconds * 1000));
}

RowTimes::RowTimes(std::filesystem::path file, std::int64_t journal_length) : file_(std::move(file)) {
    std::ifstream in(file_);
    bool beyond = false;
    for (Mark mark{}; in >> mark.length >> mark.time;) {
        if (mark.length > journal_length) beyond = true;
        else if (marks_.empty() || mark.length > marks_.back().length) marks_.push_back(mark);
        thin_out();
    }
    if (!beyond) return;
    std::ofstream out(file_, std::ios::trunc);
    for (const Mark& mark : marks_) out << mark.length << ' ' << mark.time << '\n';
}

void RowTimes::note(std::int64_t journal_length) {
    const std::lock_guard lock(mutex_);
    if (journal_length == 0 || (!marks_.empty() && journal_length <= marks_.back().length)) return;
    marks_.push_back({journal_length, unix_milliseconds()});
    std::ofstream(file_, std::ios::app) << fmt::format("{} {}\n", marks_.back().length, marks_.back().time);
    thin_out();
}

void RowTimes::thin_out() {
    if (marks_.size() < most_marks) return;
    std::size_t kept = 0;
    for (std::size_t i = 1; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
    marks_.resize(kept);
}

std::int64_t RowTimes::of_row_ending(std::int64_t bytes, std::int64_t otherwise) const {
    const std::lock_guard lock(mutex_);
    const auto seen =
        std::lower_bound(marks_.begin(), marks_.end(), bytes, [](const Mark& mark, std::int64_t wanted) { return mark.length < wanted; });
    if (seen != marks_.end()) return seen->time;
    return marks_.empty() ? otherwise : std::max(otherwise, marks_.back().time);
}

}  // namespace temper
