// Threads over rows: an item is a run of rows large enough to be worth handing out.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/parallel.h"

namespace temper::cpu {

// function(row) for every row of `rows`; row_elements (about how many numbers a row touches) sets the run's length.
template <class Function> void for_rows(const Stream& stream, std::int64_t rows, std::int64_t row_elements, const Function& function) {
    const std::int64_t run = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, row_elements));
    parallel_for(stream, (rows + run - 1) / run, [&](std::int64_t item) {
        const std::int64_t end = std::min(rows, (item + 1) * run);
        for (std::int64_t row = item * run; row < end; ++row) function(row);
    });
}

// function(begin, end) over [0, count) in fixed blocks, for flat vectors.
template <class Function> void for_blocks(const Stream& stream, std::int64_t count, std::int64_t block, const Function& function) {
    parallel_for(stream, (count + block - 1) / block, [&](std::int64_t item) { function(item * block, std::min(count, (item + 1) * block)); });
}

}  // namespace temper::cpu
