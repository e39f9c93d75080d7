// kernels/peak.h on a CUDA device: peak_cublas.cpp asks the hardware, emulation/peak.cpp times its own plain product and copy.
#pragma once
#include "kernels/stream.h"

namespace temper::cuda {

double peak_flops(Stream& stream, DType dtype);
double copy_bandwidth(Stream& stream);

}  // namespace temper::cuda
