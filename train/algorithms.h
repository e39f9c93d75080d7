// Which algorithms the matrix products of a run follow: rank 0 chooses for all, once, and a resumed run goes on with what its checkpoint keeps.
// Internal to train/.
#pragma once
#include <string>

#include "io/comm/comm.h"
#include "train/training_setup.h"

namespace temper {

// On all ranks together, before the decoder is made. Returns the bytes for checkpoints, empty on the CPU.
// kept: the bytes of the checkpoint that the run goes on from, on rank 0; null where there is none. usage Error where ranks compute on different
// devices or libraries: then which rank has which rows would decide the bits.
std::string settle_algorithms(const TrainingInputs& inputs, Stream& stream, Comm& comm, const std::string* kept, TrainingReporter& reporter);

}  // namespace temper
