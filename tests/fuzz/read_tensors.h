// Decodes the small tensors of a file, as a model's loading would.
#pragma once
#include <vector>

#include "io/tensors/tensor_source.h"

namespace temper {

inline void read_small_tensors(const TensorSource& source) {
    for (const std::string& name : source.names()) {
        const TensorInfo* info = source.find(name);
        std::int64_t size = 1;
        for (const std::int64_t extent : info->shape)
            if (__builtin_mul_overflow(size, extent, &size) || size > 1 << 16) size = (1 << 16) + 1;
        if (size == 0 || size > 1 << 16 || info->shape.empty() || info->shape.size() > 2) continue;
        std::vector<float> values(static_cast<std::size_t>(size));
        const auto& shape = info->shape;
        source.read(name, shape.size() == 1 ? View(values.data(), DType::f32, {shape[0]}) : View(values.data(), DType::f32, {shape[0], shape[1]}));
    }
}

}  // namespace temper
