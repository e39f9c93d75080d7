#include "io/tensors/tensor_decode.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

namespace temper {

namespace {

constexpr std::int64_t buffer_bytes = std::int64_t(1) << 18;

bf16 rounded(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t number = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, nan = (bits >> 16) | 0x40u;
    return static_cast<bf16>((bits & 0x7fffffffu) > 0x7f800000u ? nan : number);
}

// Chunks of a constant length, which the compiler turns into vector instructions at -O2.
void round_to_bf16(const float* __restrict values, std::int64_t count, bf16* __restrict out) {
    constexpr int chunk = 32;
    std::int64_t i = 0;
    for (; i + chunk <= count; i += chunk)
        for (int j = 0; j < chunk; ++j) out[i + j] = rounded(values[i + j]);
    for (; i < count; ++i) out[i] = rounded(values[i]);
}

bool is_stored_as(const Encoding& encoding, DType dtype) { return encoding.to_f32 == (dtype == DType::f32 ? encoding_f32 : encoding_bf16).to_f32; }

// elements numbers (whole blocks) to `to`, rounded once where the destination is bf16.
void decode_blocks(const Encoding& encoding, const std::uint8_t* blocks, std::int64_t elements, DType dtype, char* to) {
    if (is_stored_as(encoding, dtype)) {
        std::memcpy(to, blocks, static_cast<std::size_t>(elements * size_of(dtype)));
        return;
    }
    if (dtype == DType::f32) return encoding.to_f32(blocks, elements / encoding.elements, reinterpret_cast<float*>(to));
    constexpr std::int64_t piece = 4096;  // a multiple of every block
    float values[piece];
    for (std::int64_t i = 0; i < elements; i += piece) {
        const std::int64_t count = std::min(piece, elements - i);
        encoding.to_f32(blocks + i / encoding.elements * encoding.bytes, count / encoding.elements, values);
        round_to_bf16(values, count, reinterpret_cast<bf16*>(to) + i);
    }
}

}  // namespace

Rows::Rows(const View& view) : base(static_cast<char*>(view.data)), count(1), width(view.elements()), stride(0) {
    std::int64_t step = 1;
    for (int i = view.rank - 1; i >= 0; --i) {
        const auto k = static_cast<std::size_t>(i);
        if (view.stride[k] != step) {
            if (i != 0 || view.rank < 2) throw_error(ExitCode::internal, "Rows: {} has a stride inside its rows", view.describe());
            count = view.shape[0];
            width = step;
            stride = view.stride[0] * size_of(view.dtype);
        }
        step *= view.shape[k];
    }
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

void TensorSource::read_quantized(const std::string& name, QuantMatrix&) const {
    throw_error(ExitCode::internal, "{}: tensor {} is not kept quantised", describe(), name);
}

std::vector<std::uint8_t> TensorSource::read_bytes(const std::string& name, std::uint64_t) const {
    throw_error(ExitCode::internal, "{}: the bytes of tensor {} are not to be had", describe(), name);
}

void check_destination(const std::string& path, const TensorInfo& info, const View& destination) {
    if (destination.device != Device::cpu || destination.dtype == DType::i32)
        throw_error(ExitCode::internal, "{}: tensor {} is to be read into {} on {}", path, info.name, destination.describe(),
                    name_of(destination.device));
    const std::vector<std::int64_t> expected(destination.shape.begin(), destination.shape.begin() + destination.rank);
    if (info.shape != expected)
        throw_error(ExitCode::bad_data, "{}: tensor {} has shape {}, expected {}", path, info.name, shape_text(info.shape), shape_text(expected));
}

void decode_tensor(const InputFile& file, std::uint64_t offset, const Encoding& encoding, const View& destination) {
    const Rows rows(destination);
    const DType dtype = destination.dtype;
    if (rows.width % encoding.elements != 0)
        throw_error(ExitCode::internal, "decode_tensor: rows of {} are not whole blocks of {}", rows.width, encoding.elements);
    if (is_stored_as(encoding, dtype) && rows.count == 1)
        return file.read_at(offset, rows.base, static_cast<std::size_t>(rows.width * size_of(dtype)));

    const std::int64_t buffer_blocks = buffer_bytes / encoding.bytes;
    const std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[static_cast<std::size_t>(buffer_blocks * encoding.bytes)]);
    std::int64_t blocks_left = rows.count * rows.width / encoding.elements, row = 0, column = 0;
    while (blocks_left > 0) {
        const std::int64_t blocks = std::min(blocks_left, buffer_blocks);
        const auto bytes = static_cast<std::size_t>(blocks * encoding.bytes);
        file.read_at(offset, buffer.get(), bytes);
        for (std::int64_t done = 0; done < blocks * encoding.elements;) {
            const std::int64_t count = std::min(rows.width - column, blocks * encoding.elements - done);
            decode_blocks(encoding, buffer.get() + done / encoding.elements * encoding.bytes, count, dtype, rows.row(row) + column * size_of(dtype));
            done += count;
            column += count;
            if (column == rows.width) column = 0, ++row;
        }
        offset += bytes;
        blocks_left -= blocks;
    }
}

}  // namespace temper
