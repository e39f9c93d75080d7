#include "kernels/peak.h"

#include "kernels/cpu/peak.h"
#include "kernels/cuda/peak.h"
#include "kernels/error.h"

namespace temper {

double peak_flops(Stream& stream, DType dtype) {
    return stream.device() == Device::cuda ? cuda::peak_flops(stream, dtype) : cpu::peak_flops(stream, dtype);
}

double copy_bandwidth(Stream& stream) {
    if (stream.device() != Device::cuda) throw_error(ExitCode::internal, "copy_bandwidth: the stream is of the CPU, expected a CUDA device");
    return cuda::copy_bandwidth(stream);
}

}  // namespace temper
