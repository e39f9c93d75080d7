// The fixed work that `temper bench suite` times: the same for every build, without files of the user's. Internal to cli/.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/stream.h"

namespace temper {

struct Workload {
    std::string name, what;
    // One unit of work: some ten milliseconds. The figure must be the same for every unit of one build, and shows that the work was done.
    std::function<double()> run;
};

// The same numbers in [-scale, scale) every time, in the view's dtype, row by row.
void fill(const View& view, float scale);

std::vector<std::string> workload_names();
// usage Error when there is no such workload. Allocates what the work needs; the stream must outlive it.
Workload make_workload(const std::string& name, Stream& stream);

}  // namespace temper
