// Softmax cross-entropy of one row of logits, per instruction set.
#pragma once
#include <cstdint>

namespace temper {
enum class Isa : std::uint8_t;
}  // namespace temper

namespace temper::cpu {

struct RowLoss {
    float nll = 0.0f;  // log(sum of exponentials) - logit of the label; NaN where a logit is
    float sum = 0.0f;  // of exp(logit - largest logit)
    bool correct = false;
};

struct LossKernels {
    // Leaves exp(logit - largest) in `logits`. Sums run over fixed lanes in ascending order.
    RowLoss (*loss)(float* logits, std::int64_t n, std::int64_t label);
    // (softmax - onehot) * scale of what `loss` left; `out` may be the same memory.
    void (*gradient_f32)(float* out, const float* exponentials, std::int64_t n, std::int64_t label, float sum, float scale);
    void (*gradient_bf16)(std::uint16_t* out, const float* exponentials, std::int64_t n, std::int64_t label, float sum, float scale);
};

const LossKernels& loss_kernels(Isa isa);

// The tables behind loss_kernels.
extern const LossKernels loss_scalar, loss_avx2, loss_avx512;

}  // namespace temper::cpu
