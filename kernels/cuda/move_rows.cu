#include "kernels/cuda/move_rows.h"

#include <algorithm>

#include "kernels/cuda/gemm.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

template <class T> struct Rows {
    Global<T> data;
    std::int64_t stride, columns;
    bool aligned;
};

template <class T> Rows<T> rows_of(const View& view) { return {global<T>(view), stride_of(view), view.empty() ? 0 : view.size(1), is_aligned(view)}; }

// A block moves a row.
template <class To, class From>
__global__ void move_kernel(Rows<To> to, Rows<const From> from, Global<const std::int32_t> sources, Global<const std::int32_t> targets) {
    std::int64_t source = blockIdx.x, target = blockIdx.x;
    if (!sources.empty()) source = sources[blockIdx.x];
    if (!targets.empty()) target = targets[blockIdx.x];
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < to.columns; c += std::int64_t{blockDim.x} * kEight) {
        const Eight numbers = load_eight(from.data, source * from.stride + c, from.columns - c, from.aligned);
        store_eight(to.data, target * to.stride + c, numbers, to.columns - c, to.aligned);
    }
}

template <class To, class From>
void move(Stream& stream, const View& to, const View& from, std::int64_t count, const View& sources, const View& targets) {
    const auto threads = static_cast<int>(std::min<std::int64_t>(kThreads, blocks(to.size(1), kEight * kWarp) * kWarp));
    launch(stream, move_kernel<To, From>, {count}, threads, 0, rows_of<To>(to), rows_of<const From>(from), global<const std::int32_t>(sources),
           global<const std::int32_t>(targets));
}

void move_any(Stream& stream, const View& to, const View& from, std::int64_t count, const View& sources, const View& targets) {
    if (to.dtype == DType::f32) {
        if (from.dtype == DType::f32) move<float, float>(stream, to, from, count, sources, targets);
        else move<float, bf16>(stream, to, from, count, sources, targets);
    } else {
        if (from.dtype == DType::f32) move<bf16, float>(stream, to, from, count, sources, targets);
        else move<bf16, bf16>(stream, to, from, count, sources, targets);
    }
}

}  // namespace

View upload_rows(Stream& stream, Span<const std::int32_t> rows) {
    if (rows.empty()) return {};
    const void* const table = stream.cuda().upload(rows.data(), rows.size() * sizeof(std::int32_t));
    return View(const_cast<void*>(table), DType::i32, {static_cast<std::int64_t>(rows.size())}, Device::cuda);
}

void move_rows(Stream& stream, View to, View from) { move_any(stream, to, from, to.size(0), View(), View()); }
void gather_rows(Stream& stream, View to, View from, View rows) { move_any(stream, to, from, to.size(0), rows, View()); }
void scatter_rows(Stream& stream, View to, View from, View rows) { move_any(stream, to, from, rows.size(0), View(), rows); }

void zero_rows(Stream& stream, View to) {
    View none;
    none.dtype = to.dtype;
    move_any(stream, to, none, to.size(0), View(), View());
}

}  // namespace temper::cuda
