// Products of floats for attention: an operand number is one float, whatever the storage type.
#pragma once
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

struct FloatOperand {
    using Number = float;
    static constexpr int step = 1;  // numbers of the inner dimension that lie in one lane
    // What a product takes: whole `depth` numbers of the inner dimension, rows up to a multiple of row_unit (those behind the last are
    // computed and mean nothing). rows: a good tile of queries; run: of keys on the diagonal.
    static constexpr int depth = 1, row_unit = 1, rows = 6, run = 12;
    static constexpr bool tiled = false;
    struct Session {};  // held while products run

    static Vec broadcast(const float* a) { return Vec::broadcast(*a); }
    static Vec multiply_add(Vec a, Vec b, Vec sum) { return fma(a, b, sum); }
    static void store(Vec x, float* p) { x.store(p); }
    // A register of steps from one row; numbers from `count` on are zero.
    template <class T> static Vec along(const T* row, std::int64_t count) { return count < Vec::width ? Vec::load(row, count) : Vec::load(row); }
    // A register of columns from the rows of one step.
    template <class T> static Vec across(const T* const* rows, std::int64_t column, std::int64_t count) {
        return count < Vec::width ? Vec::load(rows[0] + column, count) : Vec::load(rows[0] + column);
    }
};

}  // namespace
}  // namespace temper::cpu
