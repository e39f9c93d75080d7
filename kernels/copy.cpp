// Rows from one place to another.
#include <cstring>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"
#include "kernels/ops.h"

namespace temper::ops {

void copy(Stream& stream, View target, View source) {
    const bool narrows = target.dtype == DType::bf16 && source.dtype == DType::f32;
    if (target.rank != 2 || source.rank != 2 || target.shape != source.shape || (target.dtype != source.dtype && !narrows))
        throw_error(ExitCode::internal, "copy: target is {}, source {}: expected equal matrices", target.describe(), source.describe());
    if (narrows)
        return cpu::parallel_for(stream, target.size(0), [&](std::int64_t row) {
            cpu::row_kernels<bf16>(stream.isa()).narrow(target.row<bf16>(row), source.row<float>(row), source.size(1));
        });
    const std::int64_t element = size_of(target.dtype);
    for (std::int64_t row = 0; row < target.size(0); ++row)
        std::memcpy(static_cast<char*>(target.data) + row * target.stride[0] * element,
                    static_cast<const char*>(source.data) + row * source.stride[0] * element, static_cast<std::size_t>(source.size(1) * element));
}

}  // namespace temper::ops
