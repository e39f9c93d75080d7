// Which rows of the training files are kept for evaluation (data.val_size). Internal to train/.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "train/data_request.h"

namespace temper {

// Copies of row `ordinal` (from 1) of a file: weight 2 takes each twice, 0.5 every other one; evenly over the file, the same at every reading.
std::int64_t copies_of(std::int64_t ordinal, double weight);

// A function of the files' row counts, their weights and the seed: the same for both halves, at every reading and on any number of ranks.
// A row and its copies stand on one side.
class HeldOut {
  public:
    HeldOut() = default;  // nothing is held out
    // Reads the files once to count their rows. bad_data when nothing would be left on one of the sides.
    HeldOut(const DataRequest& request, const std::function<void()>& alive);
    // `candidate` counts, from 0 and over all files, the rows that their file's weight takes at all.
    bool contains(std::int64_t candidate) const { return !held_.empty() && held_[static_cast<std::size_t>(candidate)]; }

  private:
    std::vector<bool> held_;
};

}  // namespace temper
