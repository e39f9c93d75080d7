// The figures of metrics.jsonl in order, from a place that outlives the process. A row that was made again after a resume is passed over: its
// figures are the same bits as those that were given out the first time, but for measured ones (tokens a second), which are therefore a stream of
// their own that waits until a checkpoint has made their rows final.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "runs/trackers/row_times.h"

namespace temper {

struct Point {
    std::string name;
    std::int64_t step = 0;
    double value = 0;       // NaN for null, as the journal writes what is no number
    std::int64_t time = 0;  // milliseconds since 1970
};

bool is_measured(const std::string& name);  // another figure each time the same step is made

class MetricStream {
  public:
    enum class Part { computed, measured };
    // `place`: what place() gave, or null for the start. bad_data when it is neither.
    MetricStream(std::filesystem::path journal, Part part, const Json& place);

    // Figures of the next whole rows: rows are taken while there are fewer than `enough` figures and they end within the first `end` bytes. Empty
    // when there is nothing new. `otherwise`: the time of rows that nobody saw coming.
    std::vector<Point> next(std::size_t enough, std::int64_t end, const RowTimes& times, std::int64_t otherwise);
    Json place() const;  // behind what next() gave last
    std::int64_t last_step() const { return step_; }
    // A row that was made again has other figures than those given out, so that the journal and what was sent differ: another build or instruction set.
    bool contradicted() const { return contradicted_; }

  private:
    struct Row;
    bool read_line(std::int64_t end);
    bool is_known(const Row& row);
    void take(const Row& row, std::vector<Point>& points, std::int64_t time);
    bool place_holds();

    std::filesystem::path journal_;
    Part part_;
    std::string line_, buffer_;
    std::int64_t buffered_from_ = 0;
    std::int64_t bytes_ = 0, rows_ = 0;              // taken from the journal
    std::int64_t line_bytes_ = 0;                    // of the last row taken
    std::string line_hash_, figures_hash_;           // of it; of its computed figures
    std::int64_t step_ = -1, kind_ = 0;              // of the last row given out
    std::int64_t known_step_ = -1, known_kind_ = 0;  // rows up to here are made again; -1: none
    bool contradicted_ = false;
};

}  // namespace temper
