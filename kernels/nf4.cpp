#include "kernels/nf4.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace temper {
namespace {

constexpr std::array<float, 16> map_values = {-1.0f,
                                              -0.6961928009986877f,
                                              -0.5250730514526367f,
                                              -0.39491748809814453f,
                                              -0.28444138169288635f,
                                              -0.18477343022823334f,
                                              -0.09105003625154495f,
                                              0.0f,
                                              0.07958029955625534f,
                                              0.16093020141124725f,
                                              0.24611230194568634f,
                                              0.33791524171829224f,
                                              0.44070982933044434f,
                                              0.5626170039176941f,
                                              0.7229568362236023f,
                                              1.0f};

constexpr std::int64_t steps = 65536;  // of the table that finds a code of 8 bits

// Number i of n that go from 0.1 to 1 in even steps, from the nearer end, as torch.linspace has it.
float even_step(int i, int n) {
    const float step = (1.0f - 0.1f) / static_cast<float>(n - 1);
    return 2 * i < n ? std::fma(step, static_cast<float>(i), 0.1f) : std::fma(-step, static_cast<float>(n - 1 - i), 1.0f);
}

// For each exponent from -6 to 0 the middles of 1, 2, 4 ... 64 even parts of [0.1, 1], of both signs; 0 and 1.
std::array<float, 256> make_dynamic_map() {
    std::array<float, 256> map{};
    std::size_t next = 0;
    for (int e = 0; e < 7; ++e) {
        const auto power = static_cast<float>(std::pow(10.0, e - 6));
        const int parts = 1 << e;
        for (int i = 0; i < parts; ++i) {
            const float value = power * ((even_step(i, parts + 1) + even_step(i + 1, parts + 1)) / 2.0f);
            map[next++] = value;
            map[next++] = -value;
        }
    }
    map[next++] = 0.0f;
    map[next++] = 1.0f;
    std::sort(map.begin(), map.end());
    return map;
}

// The code of a number in [-1, 1] by its place in `steps` even steps: the nearest value, of two the lower.
std::vector<std::uint8_t> make_codes() {
    std::vector<std::uint8_t> codes(steps);
    const float* const map = dynamic_map();
    std::size_t code = 0;
    for (std::int64_t i = 0; i < steps; ++i) {
        const float value = -1.0f + (2.0f * static_cast<float>(i)) / static_cast<float>(steps - 1);
        while (code < 255 && 0.5f * (map[code] + map[code + 1]) < value) ++code;
        codes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(code);
    }
    return codes;
}

std::uint8_t code_of(float value) {
    static const std::vector<std::uint8_t> codes = make_codes();
    const float place = (std::clamp(value, -1.0f, 1.0f) + 1.0f) * 0.5f * static_cast<float>(steps - 1) + 0.5f;
    return codes[static_cast<std::size_t>(place)];
}

// The nearest of the 16 values, of two the lower: as many as there are middles below. Loops of constant lengths become vector instructions.
void find_nibbles(const float (&values)[nf4_block], std::int32_t (&nibbles)[nf4_block]) {
    std::fill(std::begin(nibbles), std::end(nibbles), 0);
    for (std::size_t m = 0; m + 1 < map_values.size(); ++m) {
        const float middle = (map_values[m] + map_values[m + 1]) / 2.0f;
        for (int i = 0; i < nf4_block; ++i) nibbles[i] += middle < values[i] ? 1 : 0;
    }
}

// Numbers [first, first + count) of a matrix, row behind row.
void read_numbers(float* to, View weight, std::int64_t first, std::int64_t count) {
    const std::int64_t in = weight.size(1);
    for (std::int64_t i = first; i < first + count;) {
        const std::int64_t row = i / in, column = i % in, run = std::min(in - column, first + count - i);
        if (weight.dtype == DType::f32) std::copy_n(weight.row<float>(row) + column, run, to);
        else std::transform(weight.row<bf16>(row) + column, weight.row<bf16>(row) + column + run, to, from_bf16);
        to += run;
        i += run;
    }
}

float largest_of(const float* values, std::int64_t count) {
    float largest = 0.0f;
    for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
    return largest;
}

void quantize_block(QuantMatrix& to, std::int64_t first, float (&values)[nf4_block], std::int64_t count) {
    float absmax = largest_of(values, count);
    // A block that is cut short divides where whole ones multiply by the reciprocal.
    const bool whole = count == nf4_block;
    if (!whole) absmax = std::max(absmax, 1e-38f);
    const float reciprocal = 1.0f / std::max(absmax, 1e-38f);
    to.absmax.push_back(absmax);
    for (float& value : values) value = std::clamp(whole ? value * reciprocal : value / absmax, -1.0f, 1.0f);
    std::int32_t nibbles[nf4_block];
    find_nibbles(values, nibbles);
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint8_t& byte = to.data[static_cast<std::size_t>((first + i) / 2)];
        byte = static_cast<std::uint8_t>((first + i) % 2 == 0 ? nibbles[i] << 4 : byte | nibbles[i]);
    }
}

void quantize_absmax(QuantMatrix& to) {
    double sum = 0.0;
    for (const float absmax : to.absmax) sum += static_cast<double>(absmax);
    to.view.offset = static_cast<float>(sum / static_cast<double>(to.absmax.size()));
    std::vector<float>& values = to.absmax;
    for (float& value : values) value -= to.view.offset;
    to.absmax_codes.clear();
    to.nested_absmax.clear();
    const auto count = static_cast<std::int64_t>(values.size());
    for (std::int64_t first = 0; first < count; first += nf4_nested_block) {
        const std::int64_t length = std::min(nf4_nested_block, count - first);
        const float largest = largest_of(values.data() + first, length), reciprocal = 1.0f / largest;
        to.nested_absmax.push_back(largest);
        for (std::int64_t i = first; i < first + length; ++i)
            to.absmax_codes.push_back(largest == 0.0f ? std::uint8_t{0} : code_of(values[static_cast<std::size_t>(i)] * reciprocal));
    }
}

}  // namespace

const float* nf4_map() { return map_values.data(); }

const float* dynamic_map() {
    static const std::array<float, 256> map = make_dynamic_map();
    return map.data();
}

void quantize_nf4(QuantMatrix& to, View weight, bool double_quant) {
    to.view = QuantView();
    to.view.format.block_size = nf4_block;
    to.view.format.nested_block = double_quant ? nf4_nested_block : 0;
    to.view.out = weight.size(0);
    to.view.in = weight.size(1);
    to.data.assign(static_cast<std::size_t>(to.view.data_bytes()), 0);
    to.absmax.clear();
    for (std::int64_t first = 0; first < to.view.elements(); first += nf4_block) {
        float values[nf4_block] = {};
        const std::int64_t count = std::min(nf4_block, to.view.elements() - first);
        read_numbers(values, weight, first, count);
        quantize_block(to, first, values, count);
    }
    if (double_quant) quantize_absmax(to);
    to.map.assign(map_values.begin(), map_values.end());
    to.nested_map.assign(dynamic_map(), dynamic_map() + (double_quant ? 256 : 0));
    to.point_view();
}

}  // namespace temper
