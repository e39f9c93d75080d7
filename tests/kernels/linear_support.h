// Arrays with garbage (NaN) behind every row, and a linear layer with references in double precision, for the tests of the linear ops.
#pragma once
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/ops.h"
#include "tests/kernels/common.h"

namespace temper::test {

// (rows, columns), `spare` columns of NaN behind every row that no op may read as numbers.
class Matrix {
  public:
    Matrix() = default;
    Matrix(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t spare = 0)
        : rows_(rows), columns_(columns), memory_(static_cast<std::size_t>(rows * (columns + spare) * size_of(dtype)) + 64) {
        std::memset(memory_.data(), 0xff, memory_.size());  // NaN in both dtypes
        view_ = View(memory_.data(), dtype, {rows, columns}, kDevice);
        view_.stride[0] = columns + spare;
    }
    View view() {
        note_op();
        return view_;
    }
    DType dtype() const { return view_.dtype; }
    std::int64_t rows() const { return rows_; }
    std::int64_t columns() const { return columns_; }
    float at(std::int64_t r, std::int64_t c) const {
        synchronize();
        return dtype() == DType::f32 ? view_.row<float>(r)[c] : from_bf16(view_.row<bf16>(r)[c]);
    }
    void set(std::int64_t r, std::int64_t c, float value) {
        synchronize();
        if (dtype() == DType::f32) view_.row<float>(r)[c] = value;
        else view_.row<bf16>(r)[c] = to_bf16(value);
    }
    void randomize(std::uint32_t seed, float scale = 1.0f) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal(0.0f, scale);
        for (std::int64_t r = 0; r < rows_; ++r)
            for (std::int64_t c = 0; c < columns_; ++c) set(r, c, normal(random));
    }
    // The bytes of a row, without what lies behind it.
    std::string row_bytes(std::int64_t r) const {
        synchronize();
        const char* const first = static_cast<const char*>(view_.data) + r * view_.row_stride() * size_of(dtype());
        return {first, static_cast<std::size_t>(columns_ * size_of(dtype()))};
    }
    bool spare_untouched() const {
        synchronize();
        for (std::int64_t r = 0; r < rows_; ++r) {
            const char* const row = static_cast<const char*>(view_.data) + r * view_.row_stride() * size_of(dtype());
            for (std::int64_t i = columns_ * size_of(dtype()); i < view_.row_stride() * size_of(dtype()); ++i)
                if (static_cast<unsigned char>(row[i]) != 0xff) return false;
        }
        return true;
    }

  private:
    std::int64_t rows_ = 0, columns_ = 0;
    Vector<char> memory_;
    View view_;
};

// Runs an op twice: on scratch of exactly the size that it asks for, which the address sanitizer guards, and on scratch full of NaN, so
// that an op that reads what it has not written shows it.
template <class Op> void twice(Stream& stream, const Op& op) {
    op();
    spoil_scratch(stream);
    op();
    note_op();
    synchronize();
}

struct Slot {
    std::int64_t begin, size, rank;
};

// A linear layer with its weights kept readable.
struct Layer {
    std::int64_t in, out;
    DType dtype;
    Matrix weight, bias, parameters;
    std::vector<AdapterSlot> slots;
    PreparedLinear prepared;
    std::int64_t rank_total = 0;

    Layer(Stream& stream, DType type, std::int64_t in_, std::int64_t out_, const std::vector<Slot>& adapters, bool with_bias, std::uint32_t seed = 1,
          bool dora = false)
        : in(in_), out(out_), dtype(type), weight(type, out_, in_, 3), bias(DType::f32, 1, out_) {
        weight.randomize(seed, 0.3f);
        bias.randomize(seed + 1);
        std::int64_t offset = 5;  // parameters of something else lie before
        for (const Slot& s : adapters) {
            const float scale = 0.5f + static_cast<float>(slots.size());
            slots.push_back({s.begin, s.size, s.rank, scale, offset, offset + s.rank * in, -1, static_cast<std::int64_t>(slots.size()) + 3});
            offset += s.rank * (in + s.size);
            if (dora) {
                slots.back().offset_m = offset;
                offset += s.size;
            }
            rank_total += s.rank;
        }
        parameters = Matrix(DType::f32, 1, offset);
        parameters.randomize(seed + 2, 0.3f);
        const View flat_bias = with_bias ? View(bias.view().data, DType::f32, {out}, kDevice) : View();
        // Stacked from two parts, as q, k, v are.
        const std::int64_t first = out / 3;
        const std::vector<View> parts = {weight.view().rows(0, first), weight.view().rows(first, out - first)};
        prepared = PreparedLinear(stream, parts, flat_bias, slots, {});
        if (!with_bias) bias = Matrix();
        refresh(stream);
    }
    void refresh(Stream& stream) { prepared.refresh_adapter(stream, View(parameters.view().data, DType::f32, {parameters.columns()}, kDevice)); }
    // Adapter values as the kernels see them.
    double stored(float value) const { return dtype == DType::f32 ? value : from_bf16(to_bf16(value)); }
    double a(std::size_t slot, std::int64_t r, std::int64_t k) const { return stored(parameters.at(0, slots[slot].offset_a + r * in + k)); }
    double b(std::size_t slot, std::int64_t o, std::int64_t r) const {
        return stored(parameters.at(0, slots[slot].offset_b + o * slots[slot].rank + r));
    }
};

// Instruction sets of the bfloat16 kernels that run here.
// |got - wanted| <= slack, and NaN never passes.
inline void expect_near(double got, double wanted, double slack, const std::string& where) {
    if (!(std::abs(got - wanted) <= slack)) ADD_FAILURE() << where << ": got " << got << ", wanted " << wanted << " +- " << slack;
}

constexpr double kBf16Step = 1.0 / 128;  // a bfloat16 is within half of this part of what it stands for

}  // namespace temper::test
