// When the rows of metrics.jsonl were first seen: trackers/times, "length milliseconds" a line. Rows hold no time, so that a run made again has
// the same bytes; trackers want one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

namespace temper {

std::int64_t unix_milliseconds();
std::int64_t unix_milliseconds(const std::string& utc);  // of "2026-11-21T09:30:00.123456Z"; 0 for any other text

// Thread-safe.
class RowTimes {
  public:
    // Marks beyond journal_length are forgotten: those rows were cut away.
    RowTimes(std::filesystem::path file, std::int64_t journal_length);
    // The journal is this long now. Not written where it cannot be: times are a convenience.
    void note(std::int64_t journal_length);
    // When the row that ends there was seen; `otherwise` when nobody looked, but never before the rows in front of it.
    std::int64_t of_row_ending(std::int64_t bytes, std::int64_t otherwise) const;

  private:
    struct Mark {
        std::int64_t length, time;
    };
    void thin_out();

    std::filesystem::path file_;
    mutable std::mutex mutex_;
    std::vector<Mark> marks_;  // rising in both
};

}  // namespace temper
