// AdamW on flat float vectors, updated in place. Every operation is rounded in the order of torch.optim.AdamW's single-tensor form,
// constants in double and rounded to float once, so no instruction set changes a bit.                 [Loshchilov & Hutter 2019]
#include <cmath>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"

namespace temper::cpu {

void adamw(Stream& stream, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const ops::AdamW& config) {
    const auto step = static_cast<double>(config.step);
    const double correction1 = 1.0 - std::pow(config.beta1, step), correction2 = 1.0 - std::pow(config.beta2, step);
    const auto decay = static_cast<float>(1.0 - config.learning_rate * config.weight_decay);
    const auto weight1 = static_cast<float>(1.0 - config.beta1), beta2 = static_cast<float>(config.beta2),
               weight2 = static_cast<float>(1.0 - config.beta2);
    const auto minus_rate = static_cast<float>(-(config.learning_rate / correction1)), root2 = static_cast<float>(std::sqrt(correction2));
    const auto epsilon = static_cast<float>(config.epsilon);
    float *p = parameters.as<float>(), *m = first_moment.as<float>(), *v = second_moment.as<float>();
    const float* g = gradients.as<float>();
    for_blocks(stream, parameters.size(0), 16384, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            const float gradient = g[i] * grad_scale;
            m[i] = m[i] + weight1 * (gradient - m[i]);
            v[i] = v[i] * beta2 + weight2 * gradient * gradient;
            const float denominator = std::sqrt(v[i]) / root2 + epsilon;
            p[i] = p[i] * decay + minus_rate * m[i] / denominator;
        }
    });
}

}  // namespace temper::cpu
