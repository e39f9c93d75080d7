// Rows from one place to another.
#include <cstring>

#include "kernels/ops.h"

namespace temper::ops {

void copy(Stream&, View target, View source) {
    if (target.rank != 2 || source.rank != 2 || target.shape != source.shape || target.dtype != source.dtype)
        throw_error(ExitCode::internal, "copy: target is {}, source {}: expected equal matrices", target.describe(), source.describe());
    const std::int64_t element = size_of(target.dtype);
    for (std::int64_t row = 0; row < target.size(0); ++row)
        std::memcpy(static_cast<char*>(target.data) + row * target.stride[0] * element,
                    static_cast<const char*>(source.data) + row * source.stride[0] * element, static_cast<std::size_t>(source.size(1) * element));
}

}  // namespace temper::ops
