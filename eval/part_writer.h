// Results as they come, in order, to part files: one where enough bytes or seconds have gathered, and where rows do not follow one another.
#pragma once
#include <filesystem>

#include "eval/result_parts.h"

namespace temper {

class PartWriter {
  public:
    PartWriter(std::filesystem::path directory, std::int64_t width);

    void add(const PartRows& rows);
    void flush();  // writes what there is

  private:
    std::filesystem::path directory_;
    PartRows part_;
    double written_;  // seconds of a clock
};

}  // namespace temper
