// How far a long job is: on a terminal one line that is redrawn at most ten times a second, elsewhere a line every ten seconds.
// Rates are of this process: a resumed run counts from where it resumed.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "io/log.h"

namespace temper {

class Progress {
  public:
    using Clock = std::function<double()>;  // seconds, never going back

    // `label` opens the line ("train"); `done` of `total` steps are behind us already. total 0: unknown, no bar and no ETA.
    Progress(std::string label, std::int64_t total, std::int64_t done = 0, Console& where = console(), Clock clock = steady_seconds);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `tokens` of this process so far; `detail` closes the line ("loss 1.234").
    void update(std::int64_t done, std::int64_t tokens, const std::string& detail = "");
    void finish();  // shows the last state; the destructor does it as well

    static double steady_seconds();

  private:
    std::string text(double now) const;
    void show(double now);

    std::string label_, detail_;
    std::int64_t total_, start_, done_, tokens_ = 0;
    Console& console_;
    Clock clock_;
    double started_, shown_;
    bool pending_ = false, finished_ = false;  // pending: the last state has not been shown yet
};

std::string format_duration(double seconds);  // "0:07", "12:03", "1:02:03"

}  // namespace temper
