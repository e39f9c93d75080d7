// Activations of gated linear units, as kernels/cpu/rows_body.h has them.
#pragma once
#include "kernels/cuda/device.h"

namespace temper::cuda {

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// silu(g) = g s; slope silu'(g) = s + g s (1 - s), s = sigmoid(g).
struct Silu {
    float value, slope;
    explicit __device__ Silu(float g) {
        const float s = sigmoid(g);
        value = g * s;
        slope = fmaf(value, 1.0f - s, s);
    }
};

// gelu(g) = g/2 (1 + tanh(a)), a = sqrt(2/pi) (g + 0.044715 g^3); slope gelu'(g) = (1 + t)/2 + g/2 (1 - t^2) a'.    [Hendrycks & Gimpel 2016]
struct Gelu {
    float value, slope;
    explicit __device__ Gelu(float g) {
        const float root = 0.7978845608f, cubic = 0.044715f, square = g * g, t = tanhf(root * fmaf(cubic * square, g, g));
        value = 0.5f * g * (1.0f + t);
        slope = 0.5f * (1.0f + t) + 0.5f * g * (1.0f - t * t) * (root * fmaf(3.0f * cubic, square, 1.0f));
    }
};

}  // namespace temper::cuda
