// Softmax cross-entropy of one row of logits, per instruction set.
#pragma once
#include <cstdint>
#include <limits>

namespace temper {
enum class Isa : std::uint8_t;
}  // namespace temper

namespace temper::cpu {

struct RowLoss {
    float nll = 0.0f;  // log(sum of exponentials) - logit of the label; NaN where a logit is
    float sum = 0.0f;  // of exp(logit - largest logit)
    bool correct = false;
};

// A row whose logits come in runs, in ascending order: what has been seen of them.
struct OnlineLoss {
    float largest = -std::numeric_limits<float>::infinity();
    float others = 0.0f;  // sum of exp(logit - largest), the label left out: 1 - p of a sure prediction must not be a difference
    float wanted = 0.0f;  // the label's logit
    float before = -std::numeric_limits<float>::infinity(), behind = before;  // the largest on both sides of the label

    bool correct() const { return before < wanted && !(behind > wanted); }
};

struct LossKernels {
    // Leaves exp(logit - largest) in `logits`. Sums run over fixed lanes in ascending order.
    RowLoss (*loss)(float* logits, std::int64_t n, std::int64_t label);
    // (softmax - onehot) * scale of what `loss` left; `out` may be the same memory.
    void (*gradient)(float* out, const float* exponentials, std::int64_t n, std::int64_t label, float sum, float scale);
    // The next run of a row; `label` counts from its first logit and may lie outside. Leaves exp(logit - state.largest), for the label 0,
    // in `out` as bfloat16, which may be the memory of `logits` (null: nothing is left). Returns what earlier sums of this row, which were made with
    // the largest logit of that time, are to be multiplied with: 1 where it has not changed.     [Milakov & Gimelshein 2018]
    // Of capped logits what is left in `out` is multiplied by the cap's slope; inverse_cap is 0 without a cap.
    float (*online)(OnlineLoss& state, std::uint16_t* out, const float* logits, std::int64_t n, std::int64_t label, float inverse_cap);
    float (*exponential)(float x);
    void (*multiply)(float* values, std::int64_t n, float factor);
    // values = cap * tanh(values / cap); slopes (null: not wanted) = 1 - tanh^2.
    void (*cap)(float* values, float* slopes, std::int64_t n, float cap);
    // values *= factors.
    void (*multiply_rows)(float* values, const float* factors, std::int64_t n);
};

const LossKernels& loss_kernels(Isa isa);

// The tables behind loss_kernels.
extern const LossKernels loss_scalar, loss_avx2, loss_avx512;

}  // namespace temper::cpu
