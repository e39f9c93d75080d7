// gemm_int8 on Vec and a Unit, what an instruction set has for integers; compiled once for each by gemm_int8*.cpp.
//   Unit: Number; rows, panels: of a register tile
//         sums<Rows, Panels>(to, a, a_stride, panel, depth): to[row][16 * Panels] = a * panels
//         floats(sums, offsets): a register of sums, a multiple of its width
//         store(Vec of whole numbers, Number*): a register of them
//         store_wide(Vec, above, below), where Number is a byte: 256 * above + below
#pragma once
#include <cstring>
#include <utility>

#include "kernels/cpu/gemm_int8.h"
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

// Sums of one row and some panels on their way out.
template <class Unit, class T>
[[gnu::always_inline]] inline void store_sums(const GemmInt8<T>& g, const std::int32_t* sums, std::int64_t row, std::int64_t panel,
                                              std::int64_t panels) {
    const std::int64_t first = panel * kPanelColumns, left = g.columns - first;
    T* const out = g.out + row * g.out_stride + first;
    const T* const residual = g.residual == nullptr ? nullptr : g.residual + row * g.residual_stride + first;
    const auto store = [&](std::int64_t i, std::int64_t count) {
        Vec sum = Unit::floats(sums + i, g.offsets + first + i) * load_part(g.scale + first + i, count);
        if (g.bias != nullptr) sum = sum + load_part(g.bias + first + i, count);
        if (residual != nullptr) sum = sum + load_part(residual + i, count);
        store_part(sum, out + i, count);
    };
    if (left < panels * kPanelColumns) return for_vectors(left, store);
    for (std::int64_t i = 0; i < panels * kPanelColumns; i += Vec::width) store(i, Vec::width);
}

// Sums of the rows above and below become those of the numbers that the two stand for. Steps on the way may leave 32 bits, the result does not.
[[gnu::always_inline]] inline void join_parts(std::int32_t* to, const std::int32_t* above, const std::int32_t* below, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
        to[i] = static_cast<std::int32_t>((static_cast<std::uint32_t>(above[i]) << 8) + static_cast<std::uint32_t>(below[i]));
}

// Rows: of `a`.
template <class Unit, class T, int Panels, int Rows> void byte_tile(const GemmInt8<T>& g, std::int64_t row, std::int64_t panel) {
    using Number = typename Unit::Number;
    alignas(64) std::int32_t sums[Rows][Panels * kPanelColumns];
    const std::int64_t panel_bytes = g.depth * kPanelColumns;
    Unit::template sums<Rows, Panels>(sums, reinterpret_cast<const Number*>(g.a + row * g.parts * g.a_bytes),
                                      g.a_bytes / static_cast<std::int64_t>(sizeof(Number)), g.panels + panel * panel_bytes, panel_bytes, g.depth);
    if constexpr (sizeof(Number) == 1 && Rows % 2 == 0)
        if (g.parts == 2)
            for (int r = 0; r < Rows / 2; ++r) {
                join_parts(sums[r], sums[2 * r], sums[2 * r + 1], Panels * kPanelColumns);
                store_sums<Unit>(g, sums[r], row + r, panel, Panels);
            }
    if (g.parts == 1)
        for (int r = 0; r < Rows; ++r) store_sums<Unit>(g, sums[r], row + r, panel, Panels);
}

template <class Unit, class T, int Panels, int... Rows>
void byte_panels(const GemmInt8<T>& g, std::int64_t panel, std::integer_sequence<int, Rows...>) {
    using Tile = void (*)(const GemmInt8<T>&, std::int64_t, std::int64_t);
    static constexpr Tile tiles[] = {byte_tile<Unit, T, Panels, Rows + 1>...};
    const std::int64_t most = Unit::rows / g.parts, count = (g.rows + most - 1) / most;
    for (std::int64_t i = 0, row = 0; i < count; ++i) {
        const std::int64_t rows = (g.rows - row) / (count - i);  // even tiles: a lone row would wait on its own sums
        tiles[rows * g.parts - 1](g, row, panel);
        row += rows;
    }
}

// Panels outside, rows inside: a panel stays in the first-level cache for all rows of the block.
template <class Unit, class T> void multiply_bytes(const GemmInt8<T>& g) {
    constexpr std::make_integer_sequence<int, Unit::rows> sizes{};
    std::int64_t panel = g.panel_begin;
    for (; panel + Unit::panels <= g.panel_end; panel += Unit::panels) byte_panels<Unit, T, Unit::panels>(g, panel, sizes);
    for (; panel < g.panel_end; ++panel) byte_panels<Unit, T, 1>(g, panel, sizes);
}

template <class Unit, class T>
void quantize_row(std::uint8_t* to, const T* x, const float* multipliers, std::int64_t n, std::int64_t depth, std::int32_t most) {
    auto* const numbers = reinterpret_cast<typename Unit::Number*>(to);
    const Vec upper = Vec::broadcast(static_cast<float>(most)), lower = Vec::broadcast(-static_cast<float>(most));
    const auto number = [&](std::int64_t i, std::int64_t count) {
        return min(max(load_part(x + i, count) * load_part(multipliers + i, count), lower), upper);
    };
    const std::int64_t done = (n + Vec::width - 1) / Vec::width * Vec::width;
    const auto clear = [&](typename Unit::Number* row) {
        std::memset(static_cast<void*>(row + done), 0, static_cast<std::size_t>(depth - done) * sizeof *numbers);
    };
    clear(numbers);
    if constexpr (sizeof *numbers == 1)
        if (most > 127) {
            clear(numbers + depth);
            return for_vectors(n, [&](std::int64_t i, std::int64_t count) { Unit::store_wide(number(i, count), numbers + i, numbers + depth + i); });
        }
    for_vectors(n, [&](std::int64_t i, std::int64_t count) { Unit::store(number(i, count), numbers + i); });
}

template <class Unit> constexpr Int8Kernels make_int8_kernels() {
    return {sizeof(typename Unit::Number), &quantize_row<Unit, float>, &quantize_row<Unit, std::uint16_t>, &multiply_bytes<Unit, float>,
            &multiply_bytes<Unit, std::uint16_t>};
}

}  // namespace
}  // namespace temper::cpu
