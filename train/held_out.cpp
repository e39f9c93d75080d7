#include "train/held_out.h"

#include <cmath>

#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "train/batching.h"

namespace temper {
namespace {

std::int64_t candidates_of(const DataFile& file, const std::function<void()>& alive) {
    const auto rows = open_rows(file.path);
    Json row;
    std::int64_t read = 0, candidates = 0;
    while ((file.max_rows < 0 || read < file.max_rows) && rows->next(row)) {
        alive();
        if (copies_of(++read, file.weight) > 0) ++candidates;
    }
    return candidates;
}

}  // namespace

std::int64_t copies_of(std::int64_t ordinal, double weight) {
    const auto upto = [&](std::int64_t count) { return static_cast<std::int64_t>(std::floor(static_cast<double>(count) * weight)); };
    return upto(ordinal) - upto(ordinal - 1);
}

HeldOut::HeldOut(const DataRequest& request, const std::function<void()>& alive) {
    std::int64_t candidates = 0;
    for (const DataFile& file : request.files) candidates += candidates_of(file, alive);
    const double wanted = request.val_size < 1 ? std::ceil(request.val_size * static_cast<double>(candidates)) : request.val_size;
    if (wanted >= static_cast<double>(candidates))
        throw_error(ExitCode::bad_data, "data.val_size {} holds {} rows out of the {} of data.train: nothing is left to train on", request.val_size,
                    wanted, candidates);
    held_.resize(static_cast<std::size_t>(candidates));
    const std::vector<std::int64_t> order = torch_permutation(candidates, request.val_seed);
    for (std::size_t i = 0; i < static_cast<std::size_t>(wanted); ++i) held_[static_cast<std::size_t>(order[i])] = true;
}

}  // namespace temper
