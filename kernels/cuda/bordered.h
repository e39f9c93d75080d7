// What a PreparedLinear holds on a CUDA device: one matrix, W with its adapters as borders,
//     [ W  B ]   (out, in | border)
//     [ A  0 ]   (border, in)
// so that y = [x | s] [W | B]^T with s = scale * x A^T, and d_x = [d_y | d_s] [W ; A] with d_s = scale * d_y B are one product each. Column j of the
// border belongs to the slot whose ranks cover j; B is zero where a slot does not own the output, so its blocks need no bounds.
// in, out and the border are rounded up to whole packs of 8 (zeros), so that every part begins at a multiple of 16 bytes.
// A weight that is quantised is held as it was stored, A and B beside it; an op that reads it makes the matrix in its scratch, anew each time.
#pragma once
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/scratch.h"
#include "kernels/prepared.h"

namespace temper {

// The matrix, wherever it lies.
struct Bordered {
    View matrix;  // (out_padded + border, in_padded + border)
    std::int64_t in = 0, out = 0, in_padded = 0, out_padded = 0, border = 0;

    View weight() const { return block(0, out, 0, in); }                         // (out, in)
    View forward() const { return block(0, out, 0, in_padded + border); }        // (out, in | border)
    View backward_rows() const { return block(0, out_padded + border, 0, in); }  // (out | border, in)
    View a() const { return block(out_padded, border, 0, in_padded); }           // (border, in)
    View b() const { return block(0, out_padded, in_padded, border); }           // (out, border)
    View block(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) const;
};

struct BorderedLinear final : PreparedLinear::Impl {
    std::int64_t in_padded = 0, out_padded = 0, border = 0;  // border: rank_total in whole packs
    View bias;                                               // (out) f32
    View rounded_bias;                                       // (out) of dtype, where it is the same numbers (bias_fits)
    bool bias_fits = false;
    View scales;              // (border) f32: of the slot that a column belongs to
    View norm, column_scale;  // (out) f32 with DoRA: length of a row of W + scale B A; magnitude / length, 1 where there is none

    bool is_quantized() const { return !parts.empty(); }
    // The matrix, where the weight is quantised in `memory`, of the shape of its matrix; else that is not read.
    Bordered expanded(Stream& stream, View memory) const;

    void load(Stream& stream, Span<const View> weights, View bias_values) override;
    void load_quantized(Stream& stream, Span<const QuantView> weights, View bias_values) override;
    void load_blank(Stream& stream, bool fits) override;
    void refresh(Stream& stream, View parameters) override;
    void replace(Stream& stream, View numbers) override;
    std::size_t bytes() const override { return memory_.capacity(); }
    std::size_t predict_bytes() const override;

  private:
    // Places everything; on an empty arena this only counts.
    void lay_out(Arena& arena);
    void lay_out_quantized(Arena& arena);
    void allocate(Stream& stream, bool with_bias);  // zeros
    void load_vectors(Stream& stream, View bias_values);
    void load_bias(Stream& stream, const float* values);
    void load_scales(Stream& stream);
    void fill_adapters(Stream& stream, View parameters);
    void fill_column_scales(Stream& stream, View parameters);
    Bordered at(View matrix) const { return {matrix, in, out, in_padded, out_padded, border}; }

    View matrix_;                       // unless the weight is quantised
    std::vector<QuantView> quantized_;  // else: in device memory; parts that are not quantised are plain rows of dtype
    View a_, b_;                        // (border, in_padded), (out_padded, border): in the matrix, or beside what is quantised
    Arena memory_;
};

// Scratch of an op that needs nothing but the matrix.
struct MatrixWork {
    View matrix;

    MatrixWork(cuda::Cuts& cuts, const BorderedLinear& w) {
        if (w.is_quantized()) matrix = cuda::take_matrix(cuts, w.dtype, w.out, w.in, w.border);
    }
};

}  // namespace temper
