// AdamW on flat float vectors, updated in place: the operations of kernels/cpu/adamw.cpp in their order.             [Loshchilov & Hutter 2019]
#include <cmath>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/flat.h"

namespace temper::cuda {
namespace {

// What differs from step to step, in a table: launches of two steps are equal.
struct Numbers {
    float grad_scale, decay, weight1, beta2, weight2, minus_rate, root2, epsilon;
};

struct Step {
    FlatOf parameters, gradients, first_moment, second_moment;
    Global<const Numbers> numbers;

    __device__ void operator()(std::int64_t index) const {
        const Numbers by = numbers[0];
        Four p = parameters.load(index), m = first_moment.load(index), v = second_moment.load(index);
        const Four g = gradients.load(index);
#pragma unroll
        for (int i = 0; i < kFour; ++i) {
            const float gradient = g[i] * by.grad_scale;
            m[i] = m[i] + by.weight1 * (gradient - m[i]);
            v[i] = v[i] * by.beta2 + by.weight2 * gradient * gradient;
            const float denominator = sqrtf(v[i]) / by.root2 + by.epsilon;
            p[i] = p[i] * by.decay + by.minus_rate * m[i] / denominator;
        }
        first_moment.store(index, m);
        second_moment.store(index, v);
        parameters.store(index, p);
    }
};

}  // namespace

void adamw(Stream& stream, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const ops::AdamW& config) {
    const auto step = static_cast<double>(config.step);
    const double correction1 = 1.0 - std::pow(config.beta1, step), correction2 = 1.0 - std::pow(config.beta2, step);
    const auto rounded = [](double value) { return static_cast<float>(value); };
    const Numbers numbers = {grad_scale,
                             rounded(1.0 - config.learning_rate * config.weight_decay),
                             rounded(1.0 - config.beta1),
                             rounded(config.beta2),
                             rounded(1.0 - config.beta2),
                             rounded(-(config.learning_rate / correction1)),
                             rounded(std::sqrt(correction2)),
                             rounded(config.epsilon)};
    const Step update = {FlatOf(parameters), FlatOf(gradients), FlatOf(first_moment), FlatOf(second_moment),
                         upload(stream, Span<const Numbers>(&numbers, 1))};
    map_flat(stream, update, parameters.size(0));
}

}  // namespace temper::cuda
