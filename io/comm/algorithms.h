// Which algorithms the matrix products of all ranks follow on CUDA devices (kernels/cuda/algorithms.h): those that rank 0 chooses.
#pragma once
#include <functional>
#include <string>

#include "io/comm/comm.h"
#include "kernels/stream.h"

namespace temper {

// From now on the stream follows the table in the bytes that rank 0's `choose` gives. Returns them; on the CPU nothing is chosen, and they are empty.
// To be called by all ranks; usage Error of all where they compute on different devices or libraries: then which rank has which rows would decide bits.
std::string follow_rank_0(Stream& stream, Comm& comm, const std::function<std::string()>& choose);

}  // namespace temper
