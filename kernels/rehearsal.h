// Passes over one row of zeros through blank weights, by which a device learns of the matrix products that a run will ask it for (kernels/cuda/algorithms.h).
// What a product is does not depend on numbers or on rows, so that one row of each kind meets all of them.
#pragma once
#include "kernels/ops.h"

namespace temper::ops {

// What a run does with a linear.
struct LinearUse {
    bool backward = false;
    bool residual = false;  // it is added to what the linear is given (Epilogue::residual)
    bool dropout = false;   // in training
};
void rehearse_linear(Stream&, const PreparedLinear& weight, LinearUse use);

// What a run does with the final linear.
struct HeadUse {
    bool logits = false;           // generation
    bool loss = false;             // without gradients
    bool backward = false;         // the loss and the gradient of its input
    bool weight_gradient = false;  // and of the head
};
void rehearse_head(Stream&, const PreparedLinear& head, HeadUse use);

}  // namespace temper::ops
