#include "kernels/quantized.h"

#include <algorithm>
#include <vector>

namespace temper {
namespace {

std::int64_t parts_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

void four_bits(float* to, const QuantView& w, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = first, end = first + count; i < end;) {
        const std::int64_t block = i / w.format.block_size, block_end = std::min(end, (block + 1) * w.format.block_size);
        const float absmax = w.absmax_of(block);
        for (; i < block_end; ++i) *to++ = w.map[i % 2 == 0 ? w.data[i / 2] >> 4 : w.data[i / 2] & 15] * absmax;
    }
}

// Whole blocks where they are, the ends through a block of their own.
void encoded_row(float* to, const Encoding& encoding, const std::uint8_t* row, std::int64_t begin, std::int64_t count) {
    constexpr std::int64_t longest = 256;
    float block[longest];
    for (std::int64_t i = begin, end = begin + count; i < end;) {
        const std::uint8_t* const from = row + i / encoding.elements * encoding.bytes;
        const std::int64_t within = i % encoding.elements, whole = within == 0 ? (end - i) / encoding.elements : 0;
        if (whole > 0) {
            encoding.to_f32(from, whole, to);
            to += whole * encoding.elements;
            i += whole * encoding.elements;
            continue;
        }
        const std::int64_t taken = std::min(encoding.elements - within, end - i);
        encoding.to_f32(from, 1, block);
        to = std::copy_n(block + within, taken, to);
        i += taken;
    }
}

void scaled_floats(float* to, const QuantView& w, std::int64_t row, std::int64_t begin, std::int64_t count) {
    const float* const scales = w.scale + row / w.format.scale_rows * w.scales_a_row();
    for (std::int64_t i = begin, end = begin + count; i < end;) {
        const std::int64_t block = i / w.format.scale_columns, stop = std::min(end, (block + 1) * w.format.scale_columns);
        w.format.encoding->to_f32(w.data + row * w.in + i, stop - i, to);
        for (; i < stop; ++i) *to++ *= scales[block];
    }
}

}  // namespace

std::int64_t QuantShape::scales_a_row() const { return format.scaled() ? parts_of(in, format.scale_columns) : 0; }
std::int64_t QuantShape::scales() const { return format.scaled() ? parts_of(out, format.scale_rows) * scales_a_row() : 0; }
std::int64_t QuantShape::blocks() const { return format.block_size > 0 ? parts_of(elements(), format.block_size) : 0; }
std::int64_t QuantShape::nested_blocks() const { return format.nested() ? parts_of(blocks(), format.nested_block) : 0; }
std::int64_t QuantShape::data_bytes() const {
    return format.encoding != nullptr ? elements() / format.encoding->elements * format.encoding->bytes : parts_of(elements(), 2);
}

void QuantMatrix::point_view() {
    view.data = data.data();
    view.map = map.data();
    view.absmax = absmax.data();
    view.absmax_codes = absmax_codes.data();
    view.nested_map = nested_map.data();
    view.nested_absmax = nested_absmax.data();
    view.scale = scale.data();
}

void dequantize(float* to, const QuantView& w, std::int64_t row, std::int64_t begin, std::int64_t count) {
    if (w.format.encoding == nullptr) return four_bits(to, w, row * w.in + begin, count);
    if (w.format.scaled()) return scaled_floats(to, w, row, begin, count);
    const Encoding& encoding = *w.format.encoding;
    encoded_row(to, encoding, w.data + row * (w.in / encoding.elements) * encoding.bytes, begin, count);
}

void dequantize(View destination, const QuantView& w) {
    std::vector<float> numbers(destination.dtype == DType::f32 ? 0 : static_cast<std::size_t>(w.in));
    for (std::int64_t row = 0; row < w.out; ++row) {
        if (destination.dtype == DType::f32) {
            dequantize(destination.row<float>(row), w, row, 0, w.in);
            continue;
        }
        dequantize(numbers.data(), w, row, 0, w.in);
        std::transform(numbers.begin(), numbers.end(), destination.row<bf16>(row), to_bf16);
    }
}

}  // namespace temper
