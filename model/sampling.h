// How the next token is drawn from a row of logits.
#pragma once
#include <cstdint>

#include "kernels/span.h"

namespace temper {

struct Sampling {
    double temperature = 0.0;  // 0: greedy, the first largest logit
    std::int64_t top_k = 0;    // 0: all
    double top_p = 1.0;
    std::uint64_t seed = 42;  // draws are a function of (seed, row, position)
};

// The next token of one row of logits: greedy at temperature 0, otherwise top-k, then top-p, then a draw u in [0, 1).
std::int32_t pick_token(Span<const float> logits, const Sampling& sampling, float u);

}  // namespace temper
