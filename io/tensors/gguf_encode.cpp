// From float32 to what GGUF stores, with the bits that numpy and gguf.quants give.
#include <bit>
#include <cmath>
#include <cstring>

#include "io/tensors/gguf_writer.h"
#include "io/tensors/tensor_decode.h"
#include "kernels/error.h"

namespace temper {

namespace {

constexpr int block = 32;

void encode_block(const float* __restrict numbers, char* __restrict out) {
    float largest = 0.0f;
    for (int i = 0; i < block; ++i) largest = std::max(largest, std::abs(numbers[i]));
    const float d = largest / 127.0f;
    const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
    const std::uint16_t stored = to_f16(d);
    std::memcpy(out, &stored, 2);
    if (!std::isfinite(inverse)) {  // numbers below 5e-37: d is stored as 0
        std::memset(out + 2, 0, block);
        return;
    }
    for (int i = 0; i < block; ++i) {
        const float scaled = numbers[i] * inverse, magnitude = std::abs(scaled);
        const auto whole = static_cast<std::int32_t>(magnitude);
        const std::int32_t rounded = whole + (magnitude - static_cast<float>(whole) >= 0.5f ? 1 : 0);
        out[2 + i] = static_cast<char>(scaled < 0.0f ? -rounded : rounded);
    }
}

}  // namespace

std::string encode_gguf(GgufStored type, const float* numbers, std::int64_t count, const std::string& place) {
    const float limit = type == GgufStored::F16 ? 65519.99f : type == GgufStored::Q8_0 ? 127.0f * 65504.0f : 3.3895e38f;
    for (std::int64_t i = 0; i < count; ++i)
        if (!(std::abs(numbers[i]) <= limit))
            throw_error(std::isfinite(numbers[i]) ? ExitCode::bad_data : ExitCode::non_finite,
                        "{}: element {} is {}, which {} cannot hold; use BF16 or F32", place, i, numbers[i], name_of(type));
    const auto size = static_cast<std::size_t>(count);
    std::string bytes;
    switch (type) {
        case GgufStored::F32: bytes.assign(reinterpret_cast<const char*>(numbers), size * 4); break;
        case GgufStored::F16:
        case GgufStored::BF16:
            bytes.resize(size * 2);
            for (std::size_t i = 0; i < size; ++i) {
                const std::uint16_t half = type == GgufStored::F16 ? to_f16(numbers[i]) : to_bf16(numbers[i]);
                std::memcpy(bytes.data() + 2 * i, &half, 2);
            }
            break;
        case GgufStored::Q8_0:
            bytes.resize(size / block * (2 + block));
            for (std::size_t i = 0; i < size / block; ++i) encode_block(numbers + i * block, bytes.data() + i * (2 + block));
            break;
    }
    return bytes;
}

}  // namespace temper
