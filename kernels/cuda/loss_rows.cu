#include "kernels/cuda/loss_rows.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/block_sums.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kTotalThreads = 128;

struct Cap {
    float cap = 0.0f;  // 0: none

    __device__ float operator()(float logit) const { return cap > 0.0f ? cap * tanhf(logit / cap) : logit; }
    __device__ float slope(float capped) const {
        if (!(cap > 0.0f)) return 1.0f;
        const float t = capped / cap;
        return 1.0f - t * t;
    }
};

// What a thread has seen of a row but for the label, whose exponential must not drown the others' sum: 1 - p of a sure prediction is a sum, never a
// difference.                                                                                        [Milakov & Gimelshein 2018]
struct Seen {
    float before, behind;  // the largest on both sides of the label
    float largest = 0.0f, others = 0.0f;

    __device__ Seen() : before(-INFINITY), behind(-INFINITY), largest(-INFINITY) {}
    __device__ void add(const Eight& logits, std::int64_t column, std::int64_t columns, std::int64_t label, Cap cap) {
        float numbers[kEight];
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            const bool counts = column + i < columns && column + i != label;
            numbers[i] = counts ? cap(logits[i]) : -INFINITY;
            if (column + i < label) before = fmaxf(before, numbers[i]);
            else behind = fmaxf(behind, numbers[i]);
        }
        const float now = fmaxf(before, behind);
        if (now > largest) {
            others *= expf(largest - now);
            largest = now;
        }
#pragma unroll
        for (int i = 0; i < kEight; ++i) others += numbers[i] == -INFINITY ? 0.0f : expf(numbers[i] - largest);
    }
};

struct RowLoss {
    float largest, others, total;
};

__device__ RowLoss row_loss(Global<float> nll, Global<std::int32_t> correct, Global<const float> logits, std::int64_t stride, std::int64_t columns,
                            std::int64_t label, float wanted, Cap cap) {
    const Shared<float> numbers = shared<float>(0, kThreads);
    const std::int64_t row = blockIdx.x;
    Seen seen;
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < columns; c += kThreads * kEight)
        seen.add(load_eight(logits, row * stride + c, columns - c, true), c, columns, label, cap);
    const float before = combine_block(numbers, seen.before, kThreads, Larger()), behind = combine_block(numbers, seen.behind, kThreads, Larger());
    RowLoss loss;
    loss.largest = fmaxf(fmaxf(before, behind), wanted);
    // A thread that has seen nothing has no exponential to scale.
    const float mine = seen.largest == -INFINITY ? seen.others : seen.others * expf(seen.largest - loss.largest);
    loss.others = combine_block(numbers, mine, kThreads, Add());
    loss.total = loss.others + expf(wanted - loss.largest);
    if (threadIdx.x == 0) {
        nll[row] = logf(loss.total) + (loss.largest - wanted);
        correct[row] = before < wanted && !(behind > wanted) ? 1 : 0;
    }
    return loss;
}

// A block has a row. Numbers of a gradient in bfloat16 lie where logits of half their index lay: a round of the block reads its logits before any thread
// writes, and later rounds read behind what it writes.
template <class T>
__global__ void __launch_bounds__(kThreads)
    loss_kernel(Global<float> nll, Global<std::int32_t> correct, Global<T> gradient, std::int64_t gradient_stride, Global<const float> logits,
                std::int64_t stride, std::int64_t columns, Global<const std::int32_t> labels, Global<const float> grad_scale, Cap cap) {
    const std::int64_t row = blockIdx.x, label = labels[row], padded = (columns + kEight - 1) / kEight * kEight;
    const float wanted = cap(logits[row * stride + label]);
    const RowLoss loss = row_loss(nll, correct, logits, stride, columns, label, wanted, cap);
    if (gradient.empty()) return;
    const float scale = grad_scale[0], factor = scale / loss.total;
    for (std::int64_t first = 0; first < padded; first += kThreads * kEight) {
        const std::int64_t c = first + std::int64_t{threadIdx.x} * kEight;
        Eight value = load_eight(logits, row * stride + c, columns - c, true);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            const float logit = cap(value[i]);
            const float p = c + i == label ? -loss.others : expf(logit - loss.largest);
            value[i] = c + i < columns ? p * factor * cap.slope(logit) : 0.0f;
        }
        __syncthreads();
        store_eight(gradient, row * gradient_stride + c, value, padded - c, true);
    }
}

template <class T>
__global__ void log_total_kernel(Global<float> totals, Global<const T> x, std::int64_t x_stride, Global<const T> weight, std::int64_t weight_stride,
                                 std::int64_t width, Global<const float> nll, Global<const std::int32_t> labels, Cap cap) {
    const Shared<double> sums = shared<double>(0, kTotalThreads);
    const std::int64_t row = blockIdx.x, label = labels[row];
    double sum = 0.0;
    for (std::int64_t k = threadIdx.x; k < width; k += kTotalThreads) {
        const T a = x[row * x_stride + k], b = weight[label * weight_stride + k];
        sum += static_cast<double>(to_float(a)) * static_cast<double>(to_float(b));
    }
    const double logit = combine_block(sums, sum, kTotalThreads, Add());
    if (threadIdx.x == 0) totals[row] = nll[row] + cap(static_cast<float>(logit));
}

template <class T>
void totals_any(Stream& stream, const View& totals, const View& x, const View& weight, const View& nll, const View& labels, float softcap) {
    launch(stream, log_total_kernel<T>, {x.size(0)}, kTotalThreads, kTotalThreads * static_cast<int>(sizeof(double)), global<float>(totals),
           global<const T>(x), x.row_stride(), global<const T>(weight), weight.row_stride(), weight.size(1), global<const float>(nll),
           global<const std::int32_t>(labels), Cap{softcap});
}

__global__ void probabilities_kernel(Global<float> logits, std::int64_t stride, std::int64_t columns, Global<const float> totals,
                                     Global<const float> nll, Global<const std::int32_t> labels, std::int64_t first, Cap cap) {
    const std::int64_t row = blockIdx.x, label = labels[row] - first;
    const float total = totals[row], loss = nll[row];
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < columns; c += std::int64_t{blockDim.x} * kEight) {
        Eight value = load_eight(Global<const float>(logits), row * stride + c, columns - c, true);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            const float logit = cap(value[i]);
            value[i] = (c + i == label ? expm1f(-loss) : expf(logit - total)) * cap.slope(logit);
        }
        store_eight(logits, row * stride + c, value, columns - c, true);
    }
}

template <class T>
void losses_any(Stream& stream, const View& nll, const View& correct, const View& gradient, const View& logits, const View& labels, float grad_scale,
                float softcap) {
    // In a table: it differs from step to step, and launches do not.
    const Global<const float> scale = upload(stream, Span<const float>(&grad_scale, 1));
    launch(stream, loss_kernel<T>, {logits.size(0)}, kThreads, kThreads * static_cast<int>(sizeof(float)), global<float>(nll),
           global<std::int32_t>(correct), global<T>(gradient), stride_of(gradient), global<const float>(logits), logits.row_stride(), logits.size(1),
           global<const std::int32_t>(labels), scale, Cap{softcap});
}

}  // namespace

void losses(Stream& stream, View nll, View correct, View gradient, View logits, View labels, float grad_scale, float softcap) {
    if (gradient.dtype == DType::bf16) losses_any<bf16>(stream, nll, correct, gradient, logits, labels, grad_scale, softcap);
    else losses_any<float>(stream, nll, correct, gradient, logits, labels, grad_scale, softcap);
}

void log_totals(Stream& stream, View totals, View x, View weight, View nll, View labels, float softcap) {
    if (x.dtype == DType::f32) totals_any<float>(stream, totals, x, weight, nll, labels, softcap);
    else totals_any<bf16>(stream, totals, x, weight, nll, labels, softcap);
}

void probabilities(Stream& stream, View logits, View totals, View nll, View labels, std::int64_t first, float softcap) {
    launch(stream, probabilities_kernel, {logits.size(0)}, 256, 0, global<float>(logits), logits.row_stride(), logits.size(1),
           global<const float>(totals), global<const float>(nll), global<const std::int32_t>(labels), first, Cap{softcap});
}

}  // namespace temper::cuda
