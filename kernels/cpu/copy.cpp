#include <cstring>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {

void copy(Stream& stream, View target, View source) {
    if (target.dtype != source.dtype)
        return parallel_for(stream, target.size(0), [&](std::int64_t row) {
            row_kernels<bf16>(stream.isa()).narrow(target.row<bf16>(row), source.row<float>(row), source.size(1));
        });
    const std::int64_t element = size_of(target.dtype);
    for (std::int64_t row = 0; row < target.size(0); ++row)
        std::memcpy(static_cast<char*>(target.data) + row * target.stride[0] * element,
                    static_cast<const char*>(source.data) + row * source.stride[0] * element, static_cast<std::size_t>(source.size(1) * element));
}

void put_rows(Stream&, View target, View source, View rows) {
    const std::int64_t element = size_of(target.dtype);
    for (std::int64_t row = 0; row < source.size(0); ++row) {
        const std::int64_t to = rows.as<std::int32_t>()[row];
        if (to >= target.size(0)) continue;
        std::memcpy(static_cast<char*>(target.data) + to * target.stride[0] * element,
                    static_cast<const char*>(source.data) + row * source.stride[0] * element, static_cast<std::size_t>(source.size(1) * element));
    }
}

}  // namespace temper::cpu
