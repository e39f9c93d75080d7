// The small matrix product of attention, C (rows, columns) = A B, and the packing of its operands. Every number of C is one chain of
// multiply-adds along the inner dimension: tiling changes no bit.
//   A  "row operand":  rows of numbers, `a_stride` numbers apart, the inner dimension along the row
//   B  "panel":        for each step of the inner dimension a line of 32-bit lanes, one a column (a float, or a pair of bfloat16)
#pragma once
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kBlock = 64;  // keys of a block, queries of a tile

constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
constexpr std::int64_t padded_columns(std::int64_t n) { return round_up(n, Vec::width); }

enum class Into { overwrite, add, rescale };  // rescale: c = c * scale[row] + a b

struct Product {
    float* c;
    std::int64_t c_stride;
    const void* a;
    std::int64_t a_stride;
    const void* b;
    std::int64_t b_lanes;               // lanes of a line of the panel
    std::int64_t rows, columns, steps;  // columns: a multiple of the register's width
    const float* scale = nullptr;
};

template <class Operand, Into into, int R, int V> void multiply_tile(const Product& x, std::int64_t row, std::int64_t column) {
    using Number = typename Operand::Number;
    constexpr std::int64_t step = Operand::step;
    float* c = x.c + row * x.c_stride + column;
    const Number* a = static_cast<const Number*>(x.a) + row * x.a_stride;
    const Number* b = static_cast<const Number*>(x.b) + column * step;
    // Unrolled, the sums stay in registers.
    Vec sum[R][V];  // registers, once the loops are unrolled
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            if constexpr (into == Into::overwrite) sum[r][v] = Vec::zero();
            else sum[r][v] = Vec::load(c + r * x.c_stride + v * Vec::width);
            if constexpr (into == Into::rescale) sum[r][v] = sum[r][v] * Vec::broadcast(x.scale[row + r]);
        }
    }
    for (std::int64_t s = 0; s < x.steps; ++s) {
        Vec line[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) line[v] = {Vec::load(reinterpret_cast<const float*>(b) + v * Vec::width)};
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            const Vec factor = Operand::broadcast(a + r * x.a_stride + s * step);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) sum[r][v] = Operand::multiply_add(factor, line[v], sum[r][v]);
        }
        b += x.b_lanes * step;
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[r][v].store(c + r * x.c_stride + v * Vec::width);
}

template <class Operand, Into into, int R> void multiply_rows(const Product& x, std::int64_t row) {
    constexpr int group = Vec::registers == 32 ? 4 : 2;  // R * group sums, a line and a factor fit the registers
    const std::int64_t registers = x.columns / Vec::width;
    for (std::int64_t v = 0; v < registers; v += group) {
        const std::int64_t column = v * Vec::width, left = registers - v;
        if constexpr (group == 4) {
            if (left >= 4) multiply_tile<Operand, into, R, 4>(x, row, column);
            else if (left == 3) multiply_tile<Operand, into, R, 3>(x, row, column);
            else if (left == 2) multiply_tile<Operand, into, R, 2>(x, row, column);
            else multiply_tile<Operand, into, R, 1>(x, row, column);
        } else {
            if (left >= 2) multiply_tile<Operand, into, R, 2>(x, row, column);
            else multiply_tile<Operand, into, R, 1>(x, row, column);
        }
    }
}

template <class Operand, Into into> void multiply(const Product& x) {
    if constexpr (Operand::tiled) return Operand::template multiply<into>(x);
    std::int64_t row = 0;
    for (; row + 6 <= x.rows; row += 6) multiply_rows<Operand, into, 6>(x, row);
    if (x.rows - row >= 4) multiply_rows<Operand, into, 4>(x, row), row += 4;
    if (x.rows - row >= 2) multiply_rows<Operand, into, 2>(x, row), row += 2;
    if (x.rows - row >= 1) multiply_rows<Operand, into, 1>(x, row);
}

// Numbers of a row operand or lines of a panel whose inner dimension is d: whole depths of the product.
template <class Operand> constexpr std::int64_t padded_inner(std::int64_t d) { return round_up(d, Operand::depth); }

// Rows as a row operand: numbers from d to padded_inner(d) are zero.
template <class Operand, class T>
void pack_rows(typename Operand::Number* to, std::int64_t to_stride, const T* const* rows, std::int64_t count, std::int64_t d) {
    constexpr std::int64_t numbers = Vec::width * Operand::step;
    for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = 0; i < d; i += numbers) {
            float* line = reinterpret_cast<float*>(to + r * to_stride + i);
            const std::int64_t lanes = (padded_inner<Operand>(d) - i) / Operand::step;
            const Vec x = Operand::along(rows[r] + i, d - i);
            lanes < Vec::width ? x.store(line, lanes) : x.store(line);
        }
    }
}

// A panel whose inner dimension is d and whose columns are the rows given: line s, lane r = numbers of step s of row r.
// lanes is a multiple of the width; every one of the `lanes` row pointers is valid.
template <class Operand, class T> void pack_transposed(typename Operand::Number* panel, std::int64_t lanes, const T* const* rows, std::int64_t d) {
    constexpr std::int64_t step = Operand::step;
    const std::int64_t lines = padded_inner<Operand>(d) / step;
    auto* to = reinterpret_cast<float*>(panel);
    for (std::int64_t line = 0; line < lines; line += Vec::width) {
        const std::int64_t here = lines - line < Vec::width ? lines - line : Vec::width;
        for (std::int64_t lane = 0; lane < lanes; lane += Vec::width) {
            Vec tile[Vec::width];
            for (int i = 0; i < Vec::width; ++i) tile[i] = Operand::along(rows[lane + i] + line * step, d - line * step);
            Vec::transpose(tile);
            for (std::int64_t i = 0; i < here; ++i) tile[i].store(to + (line + i) * lanes + lane);
        }
    }
}

// A panel whose inner dimension is the rows given and whose columns are their d numbers; lanes = padded_columns(d), the last ones zero.
// count is a multiple of the step.
template <class Operand, class T>
void pack_panel(typename Operand::Number* panel, std::int64_t lanes, const T* const* rows, std::int64_t count, std::int64_t d) {
    auto* to = reinterpret_cast<float*>(panel);
    for (std::int64_t r = 0; r < count; r += Operand::step, to += lanes)
        for (std::int64_t i = 0; i < d; i += Vec::width) Operand::across(rows + r, i, d - i).store(to + i);
}

// The row operand (columns, lines * step) of a panel's columns: what multiplies from the left where the panel stood on the right.
inline void transpose_panel(void* rows, std::int64_t row_lanes, const void* panel, std::int64_t lanes, std::int64_t lines) {
    const auto* from = static_cast<const float*>(panel);
    auto* to = static_cast<float*>(rows);
    for (std::int64_t lane = 0; lane < lanes; lane += Vec::width) {
        for (std::int64_t line = 0; line < lines; line += Vec::width) {
            const std::int64_t here = lines - line < Vec::width ? lines - line : Vec::width;
            Vec tile[Vec::width];
            for (std::int64_t i = 0; i < Vec::width; ++i) tile[i] = i < here ? Vec::load(from + (line + i) * lanes + lane) : Vec::zero();
            Vec::transpose(tile);
            for (std::int64_t i = 0; i < Vec::width; ++i) store_part(tile[i], to + (lane + i) * row_lanes + line, here);
        }
    }
}

// Cuts 64-byte aligned arrays from a block of memory; with a null block it only counts.
class Cutter {
  public:
    explicit Cutter(void* memory) : base_(reinterpret_cast<std::uintptr_t>(memory)) {}
    template <class T> T* take(std::int64_t count) {
        const std::uintptr_t at = base_ + used_;
        used_ += static_cast<std::size_t>(round_up(count * static_cast<std::int64_t>(sizeof(T)), 64));
        return reinterpret_cast<T*>(at);
    }
    std::size_t used() const { return used_; }

  private:
    std::uintptr_t base_;
    std::size_t used_ = 0;
};

inline void fill_zero(float* p, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) p[i] = 0.0f;
}

}  // namespace
}  // namespace temper::cpu
