// Logits of labelled rows in device memory, turned into losses and into their own gradients.
#pragma once
#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper::cuda {

// nll (m) f32 and correct (m) i32 of logits (m, V) f32 and labels (m) i32. gradient: grad_scale (softmax - onehot) of each row, times the cap's slope, rounded to the
// dtype of the view, which lies in the memory of the logits, its row i where theirs begins; empty where none is wanted.
void losses(Stream& stream, View nll, View correct, View gradient /*(m, V in whole packs)*/, View logits, View labels, float grad_scale,
            float softcap);

// log_totals (m): log of the sum of exponentials, from the losses: the label's logit is found once more.
void log_totals(Stream& stream, View totals, View x /*(m, D)*/, View weight /*(V, D)*/, View nll, View labels, float softcap);
// Logits (m, columns) of ids [first, first + columns) become softmax - onehot; 1 - p of the label comes from its loss, which knows it where p rounds to 1.
void probabilities(Stream& stream, View logits, View totals, View nll, View labels, std::int64_t first, float softcap);

}  // namespace temper::cuda
