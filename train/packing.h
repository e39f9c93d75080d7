// How many rows other trainers put into one packed sequence, from the rows' lengths: a step's size in rows follows from it.
#pragma once
#include <cstdint>
#include <vector>

namespace temper {

struct PackedRows {
    std::int64_t rows = 0, sequences = 0;
    double mean() const { return sequences == 0 ? 0.0 : static_cast<double>(rows) / static_cast<double>(sequences); }
};
// TRL 1.16's bfd: best fit of falling lengths, for every 1,000 rows by themselves. Longer rows are cut to `capacity`; lengths of 0 are left out.
PackedRows pack_best_fit(const std::vector<std::int64_t>& lengths, std::int64_t capacity);
// Axolotl's multipack: the first sequence with room and fewer than `row_limit` rows, in the order given, for every 100,000 rows.
PackedRows pack_first_fit(const std::vector<std::int64_t>& lengths, std::int64_t capacity, std::int64_t row_limit);

}  // namespace temper
