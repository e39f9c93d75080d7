// Rows from one matrix to another, within the device or between it and the host; float32 becomes bfloat16 on the device.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

template <class T> struct Move {
    RowsOf<T> target;
    RowsOf<const T> source;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const { target.move(row, source, row, column, width - column); }
};

template <class T> struct Put {
    RowsOf<T> target;
    RowsOf<const T> source;
    Global<const std::int32_t> rows;
    std::int64_t count, width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const std::int32_t to = rows[row];
        if (to < count) target.move(to, source, row, column, width - column);
    }
};

struct Narrow {
    RowsOf<bf16> target;
    RowsOf<const float> source;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        target.store(row, column, source.load(row, column, width - column), width - column);
    }
};

template <class T> void move(Stream& stream, const View& target, const View& source) {
    map_rows(stream, Move<T>{rows_of<T>(target), rows_of<const T>(source), target.size(1)}, target.size(0), target.size(1));
}

void copy_on_device(Stream& stream, const View& target, const View& source) {
    if (target.dtype != source.dtype)
        return map_rows(stream, Narrow{rows_of<bf16>(target), rows_of<const float>(source), target.size(1)}, target.size(0), target.size(1));
    switch (target.dtype) {
        case DType::f32: return move<float>(stream, target, source);
        case DType::bf16: return move<bf16>(stream, target, source);
        case DType::i32: return move<std::int32_t>(stream, target, source);
    }
}

// Between the device and the host. Rows that lie as far apart on either side, with nothing of others between them, go over in one piece.
void copy_between(Stream& stream, const View& target, const View& source) {
    const std::int64_t size = size_of(target.dtype), width = target.size(1), stride = target.stride[0];
    const bool whole = target.size(0) == 1 || (stride == source.stride[0] && stride - width <= std::min(target.spare, source.spare));
    const std::int64_t pieces = whole ? 1 : target.size(0), bytes = ((whole ? (target.size(0) - 1) * stride : 0) + width) * size;
    for (std::int64_t i = 0; i < pieces; ++i) {
        char* const to = static_cast<char*>(target.data) + i * stride * size;
        const char* const from = static_cast<const char*>(source.data) + i * source.stride[0] * size;
        if (target.device == Device::cuda) stream.cuda().copy_in(to, from, static_cast<std::size_t>(bytes));
        else stream.cuda().copy_out(to, from, static_cast<std::size_t>(bytes));
    }
}

}  // namespace

void copy(Stream& stream, View target, View source) {
    if (target.elements() == 0) return;
    if (target.device == source.device) return copy_on_device(stream, target, source);
    if (target.dtype == source.dtype) return copy_between(stream, target, source);
    View staged(nullptr, target.device == Device::cuda ? DType::f32 : DType::bf16, {target.size(0), target.size(1)}, Device::cuda);
    staged.data = stream.scratch(static_cast<std::size_t>(staged.elements() * size_of(staged.dtype)));
    copy(stream, staged, source);
    copy(stream, target, staged);
}

void put_rows(Stream& stream, View target, View source, View rows) {
    for_floating(target.dtype, [&](auto number) {
        using T = decltype(number);
        const Put<T> put = {rows_of<T>(target), rows_of<const T>(source), global<const std::int32_t>(rows), target.size(0), source.size(1)};
        map_rows(stream, put, source.size(0), source.size(1));
    });
}

}  // namespace temper::cuda
