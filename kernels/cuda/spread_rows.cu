// Rows [0, M) of x move to `rows`, which ascend, so that no row moves towards the first. Stretches of targets are filled from the last to the
// first: what a stretch takes from before itself is still there, and what it takes from itself is set aside before.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

constexpr std::int64_t kAsideBytes = std::int64_t{16} << 20;

template <class T> struct SetAside {
    RowsOf<T> aside;
    RowsOf<const T> x;
    std::int64_t begin, width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const { aside.move(row, x, begin + row, column, width - column); }
};

template <class T> struct Place {
    RowsOf<T> x;
    RowsOf<const T> aside;  // rows of x from `begin` on
    Global<const std::int32_t> rows;
    std::int64_t moved, begin, width;

    // Which of the moved rows comes to a row; the first that would come later where none does.
    __device__ std::int64_t source_of(std::int64_t row) const {
        std::int64_t low = 0, high = min(moved, row + 1);
        while (low < high) {
            const std::int64_t middle = (low + high) / 2;
            if (rows[middle] < row) low = middle + 1;
            else high = middle;
        }
        return low;
    }
    __device__ void operator()(std::int64_t index, std::int64_t column) const {
        const std::int64_t row = begin + index, source = source_of(row), left = width - column;
        const bool comes = source < moved && rows[source] == row;
        if (!comes) x.store(row, column, Eight{}, left);
        else if (source < begin) x.move(row, RowsOf<const T>{x.numbers, x.stride, x.aligned}, source, column, left);
        else if (source != row) x.move(row, aside, source - begin, column, left);
    }
};

// Rows that are set aside at once, (stretch, D in whole cache lines).
View aside_of(DType dtype, std::int64_t moved, std::int64_t width, std::int64_t& stretch) {
    const std::int64_t padded = blocks(width, 64) * 64;
    stretch = std::max<std::int64_t>(1, kAsideBytes / (padded * size_of(dtype)));
    return View(nullptr, dtype, {std::min(stretch, moved), padded}, Device::cuda);
}

template <class T> void spread(Stream& stream, const View& x, const View& rows) {
    const std::int64_t width = x.size(1), moved = rows.size(0);
    std::int64_t stretch = 0;
    View aside = aside_of(x.dtype, moved, width, stretch);
    if (moved > 0) aside.data = stream.scratch(static_cast<std::size_t>(aside.elements() * size_of(x.dtype)));
    for (std::int64_t end = x.size(0); end > 0;) {
        const std::int64_t begin = (end - 1) / stretch * stretch, kept = std::min(end, moved) - begin;
        if (kept > 0) map_rows(stream, SetAside<T>{rows_of<T>(aside), rows_of<const T>(x), begin, width}, kept, width);
        const Place<T> place = {rows_of<T>(x), rows_of<const T>(aside), global<const std::int32_t>(rows), moved, begin, width};
        map_rows(stream, place, end - begin, width);
        end = begin;
    }
}

}  // namespace

void spread_rows(Stream& stream, View x, View rows) {
    if (x.size(0) == 0 || x.size(1) == 0) return;
    for_floating(x.dtype, [&](auto number) { spread<decltype(number)>(stream, x, rows); });
}

std::size_t spread_rows_scratch(DType dtype, std::int64_t tokens, std::int64_t width) {
    std::int64_t stretch = 0;
    return static_cast<std::size_t>(aside_of(dtype, tokens, width, stretch).elements() * size_of(dtype));
}

}  // namespace temper::cuda
