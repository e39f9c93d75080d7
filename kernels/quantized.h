// A frozen matrix (out, in) in the form in which it was quantised: blocks of a GGUF file, row by row (encoding.h), 8-bit floats with a scale for
// every so many rows and columns (fp8.h), or bitsandbytes' 4-bit format. There the numbers, row behind row, are blocks of block_size numbers, two a byte, the first in the upper nibble;
// a nibble names one of 16 values, which the block's absmax multiplies. With double quantisation absmax itself is in 8 bits:
// absmax = map[code] * nested absmax + offset, one nested absmax for nested_block of them.       [Dettmers et al. 2023, 3; bitsandbytes 0.50]
// Numbers are float32 products rounded once to the dtype that is asked for: what whole tensors give in bitsandbytes and `gguf`, bit for bit.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/encoding.h"
#include "kernels/tensor.h"

namespace temper {

// What the numbers of a tensor are stored as; by itself: a plain tensor of floats.
struct QuantFormat {
    const Encoding* encoding = nullptr;              // blocks of a GGUF file; encoding_f8 with scales
    std::int64_t block_size = 0;                     // 4-bit: > 0
    std::int64_t nested_block = 0;                   // 4-bit with double quantisation: > 0
    std::int64_t scale_rows = 0, scale_columns = 0;  // 8-bit floats: > 0

    bool stored() const { return encoding != nullptr || block_size > 0; }  // read as it is, be it as plain floats
    bool quantized() const { return block_size > 0 || scaled() || (encoding != nullptr && encoding->elements > 1); }
    bool scaled() const { return scale_rows > 0; }
    bool nested() const { return nested_block > 0; }
};

struct QuantShape {
    QuantFormat format;
    std::int64_t out = 0, in = 0;

    std::int64_t elements() const { return out * in; }
    std::int64_t blocks() const;         // 4-bit: absmax values
    std::int64_t nested_blocks() const;  // nested absmax values
    std::int64_t scales_a_row() const;   // 8-bit floats
    std::int64_t scales() const;
    std::int64_t data_bytes() const;
};

struct QuantView : QuantShape {
    const std::uint8_t* data = nullptr;
    const float* map = nullptr;                  // (16)
    const float* absmax = nullptr;               // (blocks), unless nested
    const std::uint8_t* absmax_codes = nullptr;  // (blocks)
    const float* nested_map = nullptr;           // (256)
    const float* nested_absmax = nullptr;        // (nested_blocks)
    float offset = 0.0f;
    const float* scale = nullptr;  // (scales)

    float absmax_of(std::int64_t block) const {
        return format.nested() ? nested_map[absmax_codes[block]] * nested_absmax[block / format.nested_block] + offset : absmax[block];
    }
};

// A matrix that owns its quantised form.
struct QuantMatrix {
    std::vector<std::uint8_t> data, absmax_codes;
    std::vector<float> map, absmax, nested_map, nested_absmax, scale;
    QuantView view;

    void point_view();  // the view at the memory, when all of it is there
};

// Numbers [begin, begin + count) of a row in float32.
void dequantize(float* to, const QuantView& weight, std::int64_t row, std::int64_t begin, std::int64_t count);
// All of it, rounded to the destination's dtype.
void dequantize(View destination /*(out, in)*/, const QuantView& weight);

}  // namespace temper
