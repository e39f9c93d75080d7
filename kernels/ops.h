// Every operation of the engine. Shapes stand beside the views: N tokens laid end to end, D model width, H heads, K key/value heads,
// d head width, F feed-forward width, V vocabulary, P adapter parameters.
// Law: outputs are overwritten, gradients named d_* are overwritten too, and adapter gradients come out one per leaf.
// Row law: an output row depends on its own inputs alone, never on N, its position, or the number of threads: same bits.
// dtype: activations, q/k/v and frozen weights of a call are all f32 or all bf16; norms, softmax, loss, adapters and optimizer are f32.
// Every op checks its arguments once (ops.cpp) and names itself and what it got.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/quantized.h"
#include "kernels/span.h"
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper {

// A run of consecutive tokens, the unit of gradient reduction; leaves of a call partition [0, N) in order.
struct Leaf {
    std::int64_t begin = 0, length = 0;
};

// One document (or branch) inside the packed tokens. Query rows [begin, begin+length) see, in this order, key rows
// [prefix_begin, prefix_begin+prefix_length) and causally their own key rows [key_begin, key_begin+length).
// first_position is the RoPE position of the first token (= prefix_length in all present uses).
// In training q, k, v share rows: key_begin == begin. With a KV cache k and v are views of the cache and key_begin a row of it.
struct Segment {
    std::int64_t begin = 0, length = 0;
    std::int64_t key_begin = 0;
    std::int64_t prefix_begin = 0, prefix_length = 0;
    std::int64_t first_position = 0;
};

// How attention weighs what a query sees: softmax(cap(scale * q k^T)), cap(z) = softcap * tanh(z / softcap).     [Gemma 2, arXiv:2408.00118, 2.3]
struct AttentionRule {
    float scale = 1.0f;
    std::int64_t window = 0;  // a query sees the last `window` positions of its document, itself included; 0: all    [Beltagy et al. 2020]
    float softcap = 0.0f;     // 0: none
    // On a CUDA device by cuDNN where it can, in at most so much scratch; bits are cuDNN's then.
    bool library = false;
    static constexpr std::size_t library_scratch = std::size_t{512} << 20;
    bool causal = true;  // false: a query sees all its own keys, those behind it too; without a window, and forward only
    // What every logit gets beside the product, by head and distance: bias[h][R + clamp(key - query, -R, R)], (H, 2R + 1) f32; empty: nothing.
    // For rules that are not causal, without a cap, heads with their own keys, and segments without a prefix.        [Raffel et al. 2020, 2.1]
    View bias{};
};

// Functions of single numbers: gelu by erf, gelu by its tanh formula, max(x, 0), tanh.                            [Hendrycks & Gimpel 2016]
enum class Pointwise : std::uint8_t { gelu, gelu_tanh, relu, tanh };

// A LoRA pair on output columns [out_begin, out_begin+out_size) of a linear: y += scale * (x A^T) B^T.
// A (rank, in) row-major f32 at parameters + offset_a, B (out_size, rank) row-major f32 at parameters + offset_b.
// DoRA: with a magnitude m (out_size) f32 at parameters + offset_m the product xW^T + scale x A^T B^T is multiplied by g = m / |W + scale B A|,
// the length of each row, which counts as a constant in the backward pass.                                   [Liu et al. 2024, 4.3]
struct AdapterSlot {
    std::int64_t out_begin = 0, out_size = 0, rank = 0;
    float scale = 1.0f;
    std::int64_t offset_a = 0, offset_b = 0;
    std::int64_t offset_m = -1;  // -1: no DoRA
    std::int64_t module = 0;     // names the slot's dropout masks
};

// LoRA dropout: the input of every A is x times a mask of 0 and 1 / (1 - probability), another for each module, drawn anew from these numbers
// wherever it is needed. With DoRA the mask also reaches the base weight: y = x W^T + g (x' W^T + s B^T) - x' W^T, x' the masked x, as in PEFT.
struct Dropout {
    float probability = 0.0f;  // 0: none, as in evaluation
    std::uint64_t seed = 0, step = 0;
    View rows, tokens;  // (N) i32: the data set's row that a row of x belongs to, and its place in it

    bool active() const { return probability > 0.0f; }
};

// Rotary table: cos and sin per position and pair, f32, each (positions, P); halves layout (pairs i and i+P), as in transformers. Of a head's d
// numbers the first 2P are rotated, as a rule all.
struct RopeTable {
    View cosine, sine;
};

// A frozen weight in the layout its kernels want, made once. Opaque: packing and how adapters border it stay inside kernels/.
class PreparedLinear {
  public:
    struct Options {
        bool backward = true;         // false: inference, no pack for d_x
        bool dora = false;            // for predict_bytes; a weight sees it by its adapters
        Device device = Device::cpu;  // for predict_bytes; else the stream's
        // Of a float32 weight without adapters, for the forward pass alone: kept as the product reads it, which is otherwise laid out anew for every
        // product; the numbers are the same. Such a weight is no head and is not replaced. Without meaning on a CUDA device.
        bool panels = false;
    };
    PreparedLinear();
    // weights: parts (out_i, in) stacked along out (q, k, v or gate, up), all one dtype (f32 or bf16), read once and not kept
    // unless f32, where a copy is kept. bias: (out) f32 or empty. dtype of the linear is that of the parts.
    PreparedLinear(Stream& stream, Span<const View> weights, View bias, std::vector<AdapterSlot> adapters, Options options);
    // Of quantised parts, which stay as they are and are dequantised to `dtype` strip by strip where an op reads them: the same bits as from
    // parts dequantised before. Read once; everything is copied.
    PreparedLinear(Stream& stream, Span<const QuantView> weights, DType dtype, View bias, std::vector<AdapterSlot> adapters, Options options);
    ~PreparedLinear();
    PreparedLinear(PreparedLinear&&) noexcept;
    PreparedLinear& operator=(PreparedLinear&&) noexcept;

    // Of this shape, without numbers: what matrix products it takes is rehearsed with it before there are any (kernels/rehearsal.h).
    enum class Bias : std::uint8_t { none, fits, wide };  // fits: its numbers are the same in dtype
    static PreparedLinear blank(Stream& stream, DType dtype, std::int64_t out, std::int64_t in, Span<const QuantShape> parts,
                                std::vector<AdapterSlot> adapters, Options options, Bias bias);

    // Take over new adapter values after an optimizer step. parameters: (P) f32. Without a call the adapters are zero.
    void refresh_adapter(Stream& stream, View parameters);
    // Other numbers for a weight that is trained whole, rounded to the linear's dtype; bias and adapters stay.
    void replace(Stream& stream, View weight /*(out, in) f32*/);

    std::int64_t in() const;
    std::int64_t out() const;
    std::int64_t rank_total() const;  // sum of the adapters' ranks; the width of `s` below
    DType dtype() const;
    const std::vector<AdapterSlot>& adapters() const;
    std::size_t bytes() const;  // memory held
    // Bytes that an object of this shape will hold, for the memory plan.
    static std::size_t predict_bytes(DType dtype, std::int64_t out, std::int64_t in, std::int64_t rank_total, bool bias, Options options);
    static std::size_t predict_bytes(DType dtype, Span<const QuantShape> parts, std::int64_t rank_total, bool bias, Options options);

    struct Impl;
    Impl& impl() const { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

// How inputs become integers, known beforehand from a calibration: q[k] = round(x[k] * multipliers[k]), at most `most` away from 0. Beyond 127 an integer
// takes two bytes where the processor multiplies bytes, and no more than it takes anyway where it multiplies 16 bits (AVX2, AVX-512 without VNNI).
struct Int8Input {
    std::vector<float> multipliers;  // (in)
    std::int32_t most = 127;
};

// A frozen weight of 8-bit integers, one scale an output, whose columns are divided by the multipliers of its input. Products are summed exactly, so that
// instruction sets and devices agree in every bit of x W^T + bias. Opaque as PreparedLinear; without adapters, for the forward pass alone.
class Int8Linear {
  public:
    Int8Linear();
    // weights: parts (out_i, in) stacked along out, f32 or bf16, in host memory, read once and not kept. bias: (out) f32 or empty.
    Int8Linear(Stream& stream, Span<const View> weights, View bias, const Int8Input& input);
    ~Int8Linear();
    Int8Linear(Int8Linear&&) noexcept;
    Int8Linear& operator=(Int8Linear&&) noexcept;

    std::int64_t in() const;
    std::int64_t out() const;
    std::int32_t most() const;
    std::size_t bytes() const;  // memory held
    // The largest Int8Input::most that keeps sums of `in` products within 32 bits.
    static std::int32_t widest(std::int64_t in);

    struct Impl;
    Impl& impl() const { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

// What a linear does to its output while it is at hand.
struct Epilogue {
    enum class Kind : std::uint8_t { none, rope, swiglu, geglu, pointwise, residual } kind = Kind::none;
    RopeTable rope_table;  // rope: rotates columns [0, rotated_heads*head_size) of y, head by head
    View positions;        // rope: (N) i32
    std::int64_t rotated_heads = 0, head_size = 0;
    View activated;                        // swiglu, geglu: y is (N, 2F) = [gate | up]; activated (N, F) = silu(gate) * up, gelu(gate) * up
    Pointwise function = Pointwise::gelu;  // pointwise: y = function(linear)
    View residual;                         // residual: y = linear + residual; may be y itself
    View norm_weight, normed;              // residual: where given, normed (N, D) = rms_norm(y) * norm_weight, norm_weight (D) f32
    View norm_bias;                        // residual: where given, (D) f32, normed is layer_norm(y) instead
    float norm_epsilon = 0.0f;

    static Epilogue none() { return {}; }
    static Epilogue rope(RopeTable table, View positions, std::int64_t rotated_heads, std::int64_t head_size);
    static Epilogue swiglu(View activated);
    static Epilogue geglu(View activated);
    static Epilogue pointwise(Pointwise function);
    static Epilogue add_residual(View residual);
    static Epilogue add_residual_norm(View residual, View norm_weight, float epsilon, View normed);
    static Epilogue add_residual_layer_norm(View residual, View weight, View bias, float epsilon, View normed);
};

namespace ops {

// y = x W^T + bias + sum over adapters of s_a B_a^T, with s_a = scale * x A_a^T.
// s keeps the s_a side by side for the backward pass; empty in inference or without adapters (then scratch is used).
// With a bfloat16 weight y may be f32 (logits), without an epilogue.
// Rows behind the first `adapted` ones (-1: none) see the frozen weight alone: a model and what it is compared with in one pass. s and the rows
// of `dropout` are those of the first ones then.
void linear(Stream&, View y /*(N, out)*/, View x /*(N, in)*/, const PreparedLinear& weight, View s /*(adapted, rank_total)*/,
            const Epilogue& epilogue = {}, const Dropout& dropout = {}, std::int64_t adapted = -1);

// The same of a weight of 8-bit integers; x and y are both f32 or both bf16.
void linear(Stream&, View y /*(N, out)*/, View x /*(N, in)*/, const Int8Linear& weight, const Epilogue& epilogue = {});

// d_x = d_y W + d_s A, d_s = scale * d_y B. d_y is the gradient of the linear's plain output (undo the epilogue first).
// d_adapter, one row a leaf: d_A (rank, in) at offset_a and d_B (out_size, rank) at offset_b of the row, summed over the leaf's
// tokens in a fixed order, and with DoRA d_m (out_size) at offset_m; other entries of the row are left alone. d_x may be empty (nothing adapted
// below): then only adapters. `dropout` is that of the forward pass. On a CUDA device rows behind the last leaf are in none.
void linear_backward(Stream&, View d_x /*(N, in)*/, View d_adapter /*(leaves, P) f32*/, View d_y /*(N, out)*/, const PreparedLinear& weight,
                     View x /*(N, in)*/, View s /*(N, rank_total)*/, Span<const Leaf> leaves, const Dropout& dropout = {});

// out row i = table row ids[i]. On a CUDA device ids behind the last row give zeros.
void embedding(Stream&, View out /*(N, D)*/, View ids /*(N) i32*/, View table /*(V, D)*/);
// The same from a weight (V, D) in its kernel layout: a head that is tied to the embedding is kept once.
void embedding(Stream&, View out /*(N, D)*/, View ids /*(N) i32*/, const PreparedLinear& table);

// out row i = sum over the parts, at most 4, of row ids[i] of their tables, in float32 in their order, rounded once. On a CUDA device ids behind
// the last row add zeros.
struct EmbeddingPart {
    View ids /*(N) i32*/, table /*(V, D), of out's dtype*/;
};
void embedding_sum(Stream&, View out /*(N, D)*/, Span<const EmbeddingPart> parts);

// d_table row ids[i] += scale * d_out row i, in the order of i; with `accumulate` false the table begins at zero.
void embedding_backward(Stream&, View d_table /*(V, D) f32*/, View ids /*(N) i32*/, View d_out /*(N, D)*/, float scale, bool accumulate);

// y = x / rms(x) * weight + residual, rms over the last dimension in float32.                     [Zhang & Sennrich 2019, eq. 4]
// y may be x or residual. Heads are normed one by one where x is (N, H, d).
void rms_norm(Stream&, View y /*(N, D)*/, View x /*(N, D)*/, View weight /*(D) f32*/, float epsilon, View residual = {} /*(N, D) or empty*/);
// d_x = gradient through the norm, plus d_residual where given (the stream that bypasses the norm); d_residual may be d_x.
void rms_norm_backward(Stream&, View d_x /*(N, D)*/, View d_y /*(N, D)*/, View x /*(N, D)*/, View weight /*(D) f32*/, float epsilon,
                       View d_residual /*(N, D) or empty*/);

// y = (z - mean(z)) / sqrt(var(z) + epsilon) * weight + bias, z = x + residual, mean and (biased) variance over the last dimension in float32.
// y may be x or residual.                                                                         [Ba, Kiros & Hinton 2016, eq. 4]
void layer_norm(Stream&, View y /*(N, D)*/, View x /*(N, D)*/, View weight /*(D) f32*/, View bias /*(D) f32*/, float epsilon,
                View residual = {} /*(N, D) or empty*/);

// Rotates heads in place by positions; inverse = true is the backward pass.                      [Su et al. 2021]
void rope(Stream&, View x /*(N, heads, d)*/, View positions /*(N) i32*/, RopeTable table, bool inverse);

// act = silu(gate) * up of gate_up = [gate | up].
void swiglu(Stream&, View activated /*(N, F)*/, View gate_up /*(N, 2F)*/);
// d_gate_up may be gate_up itself.
void swiglu_backward(Stream&, View d_gate_up /*(N, 2F)*/, View d_activated /*(N, F)*/, View gate_up /*(N, 2F)*/);
// The same with gelu (its tanh formula) in silu's place.
void geglu(Stream&, View activated /*(N, F)*/, View gate_up /*(N, 2F)*/);
void geglu_backward(Stream&, View d_gate_up /*(N, 2F)*/, View d_activated /*(N, F)*/, View gate_up /*(N, 2F)*/);

// x = function(x).
void pointwise(Stream&, View x /*(N, C)*/, Pointwise function);

// Row i of x times factors[i].
void scale_rows(Stream&, View x /*(N, C)*/, Span<const float> factors);
// x = factor * x.
void scale(Stream&, View x /*(N, C)*/, float factor);
// x = cap * tanh(x / cap).
void softcap(Stream&, View x /*(N, C) f32*/, float cap);

// out = softmax(rule(q k^T) + mask) v with the mask of `segments` and the rule's window; head h reads key/value head h*K/H. Never a TxT matrix in memory.
// lse keeps the log-sum-exp of a row and head for the backward pass (empty in inference). Rows in no segment are left alone.
void attention(Stream&, View out /*(N, H, d)*/, View lse /*(N, H) f32*/, View q /*(N, H, d)*/, View k /*(M, K, d)*/, View v /*(M, K, d)*/,
               Span<const Segment> segments, const AttentionRule& rule);
// Prefix rows receive the sum of the gradients of every segment that sees them. d_q, d_k, d_v are overwritten, rows in no segment with zero.
void attention_backward(Stream&, View d_q, View d_k, View d_v, View d_out /*(N, H, d)*/, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule);

// One row a segment, of the rows [begin, begin + length) of x, in float32 in their order, as the Pooling module of sentence-transformers has it: the
// first row, the mean, the maxima, the last row, the sum / sqrt(length), and the mean with weights 1, 2, ... length. A segment without rows gives
// zeros.
enum class Pooling : std::uint8_t { cls, mean, max, last, mean_sqrt_length, weighted_mean };
void pool(Stream&, View out /*(S, D) f32*/, View x /*(N, D)*/, Span<const Segment> segments, Pooling mode);
// Every row divided by its length, which counts as at least 1e-12: as torch.nn.functional.normalize does.
void l2_normalize(Stream&, View x /*(S, D) f32*/);

// Negative log-likelihood of labels[i] under softmax(x[rows[i]] W^T), i < M, without ever holding all logits. With a softcap the logits are
// softcap * tanh(x W^T / softcap).
// nll (M) f32; correct (M) i32 is 1 where the label is the (first) largest logit. d_x (N, D) = grad_scale * d(sum of nll)/d x, zero in rows
// that are not listed; empty in evaluation. rows ascend.
void linear_cross_entropy(Stream&, View nll, View correct, View d_x, View x /*(N, D)*/, const PreparedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap = 0.0f);

// d_weight = grad_scale * d(sum of nll)/dW, of a head that is trained whole: the same rows, labels and softcap, and the nll that came out. Logits
// are computed anew, a tile of the vocabulary at a time, in float32 in either dtype.
void linear_cross_entropy_weight(Stream&, View d_weight /*(V, D) f32*/, View x /*(N, D)*/, const PreparedLinear& head, View nll /*(M) f32*/,
                                 Span<const std::int32_t> rows, Span<const std::int32_t> labels, float grad_scale, float softcap = 0.0f);

// Scratch that these ops take for such sizes, the largest of a training step, for the memory plan.
std::size_t attention_backward_scratch(Device, DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                       std::int64_t longest, int threads);
struct LinearVariant {
    bool dora = false, dropout = false;
    bool quantized = false;
};
std::size_t linear_backward_scratch(Device, DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                    LinearVariant variant);
std::size_t linear_cross_entropy_scratch(Device, DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
// What a quantised head takes beyond that.
std::size_t quantized_head_scratch(Device, DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
std::size_t linear_cross_entropy_weight_scratch(Device, std::int64_t tokens, std::int64_t hidden_size, int threads);
// Of the ops on rows of up to `width` numbers, and on vectors of `parameters`.
std::size_t vector_ops_scratch(Device, DType dtype, std::int64_t tokens, std::int64_t width, std::int64_t parameters);

struct AdamW {
    // Double, as Python's: 1 - beta2 and the bias corrections would lose five digits in float.
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    std::int64_t step;  // 1 for the first update
};
// torch.optim.AdamW on flat vectors; gradients are multiplied by grad_scale (clipping) as they are read.
void adamw(Stream&, View parameters /*(P) f32*/, View gradients, View first_moment, View second_moment, float grad_scale, const AdamW&);

// Square root of the sum of squares, in float64 over fixed blocks combined in order: no thread count changes a bit.
double global_norm(Stream&, View values /*(P) f32*/);
// target = source, row by row; a bfloat16 target takes a float32 source rounded.
void copy(Stream&, View target /*(N, C)*/, View source /*(N, C)*/);
// Row rows[i] of target = row i of source; what would come behind the last row of target is left out.
void put_rows(Stream&, View target /*(N, C)*/, View source /*(M, C)*/, View rows /*(M) i32*/);
// Rows [0, M) of x move to `rows`, which ascend; the other rows become zero. On a CUDA device what would come behind the last row is left out.
void spread_rows(Stream&, View x /*(N, C)*/, View rows /*(M) i32*/);
// target += source.
void add(Stream&, View target /*(P) f32*/, View source /*(P) f32*/);
// Index of the first NaN or infinity, or -1.
std::int64_t first_non_finite(Stream&, View values /*f32 or bf16*/);

}  // namespace ops
}  // namespace temper
