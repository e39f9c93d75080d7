// The ops of encoders, row by row: layer norm, functions of single numbers, the sum of embeddings, pooling and normalisation.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/encoder_rows.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

// function(a number of that type).
template <class Function> void for_floating(DType dtype, const Function& function) {
    if (dtype == DType::bf16) function(bf16{});
    else function(float{});
}

// Rows of x that a segment has become one row.
template <class T> void pool_rows(Isa isa, float* out, View x, const Segment& segment, ops::Pooling mode) {
    const EncoderRows<T>& rows = encoder_rows<T>(isa);
    const std::int64_t width = x.size(1), n = segment.length;
    const auto row = [&](std::int64_t i) { return x.row<T>(segment.begin + i); };
    if (n == 0) return static_cast<void>(std::fill_n(out, width, 0.0f));
    const std::int64_t first = mode == ops::Pooling::last ? n - 1 : 0;
    row_kernels<T>(isa).widen(out, row(first), width);
    const auto length = static_cast<float>(n);
    switch (mode) {
        case ops::Pooling::cls:
        case ops::Pooling::last: return;
        case ops::Pooling::max:
            for (std::int64_t i = 1; i < n; ++i) rows.raise(out, row(i), width);
            return;
        case ops::Pooling::mean:
        case ops::Pooling::mean_sqrt_length:
            for (std::int64_t i = 1; i < n; ++i) rows.accumulate(out, row(i), width, 1.0f);
            return row_kernels<float>(isa).scale(out, width, 1.0f / (mode == ops::Pooling::mean ? length : std::sqrt(length)));
        case ops::Pooling::weighted_mean:
            for (std::int64_t i = 1; i < n; ++i) rows.accumulate(out, row(i), width, static_cast<float>(i + 1));
            return row_kernels<float>(isa).scale(out, width, 2.0f / (length * (length + 1.0f)));
    }
}

}  // namespace

void layer_norm(Stream& stream, View y, View x, View weight, View bias, float epsilon, View residual) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const auto norm = encoder_rows<T>(stream.isa()).layer_norm;
        for_rows(stream, x.size(0), 2 * x.size(1), [&](std::int64_t i) {
            norm(y.row<T>(i), x.row<T>(i), weight.as<float>(), bias.as<float>(), residual.empty() ? nullptr : residual.row<T>(i), x.size(1), epsilon);
        });
    });
}

void pointwise(Stream& stream, View x, Pointwise function) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const auto map = encoder_rows<T>(stream.isa()).pointwise[static_cast<std::size_t>(function)];
        for_rows(stream, x.size(0), 4 * x.size(1), [&](std::int64_t i) { map(x.row<T>(i), x.size(1)); });
    });
}

void embedding_sum(Stream& stream, View out, Span<const ops::EmbeddingPart> parts) {
    for_floating(out.dtype, [&](auto number) {
        using T = decltype(number);
        const auto sum = encoder_rows<T>(stream.isa()).sum;
        const auto count = static_cast<std::int64_t>(parts.size());
        for_rows(stream, out.size(0), out.size(1) * (count + 1), [&](std::int64_t i) {
            const T* rows[4];
            for (std::size_t part = 0; part < parts.size(); ++part) rows[part] = parts[part].table.row<T>(parts[part].ids.as<std::int32_t>()[i]);
            sum(out.row<T>(i), rows, count, out.size(1));
        });
    });
}

void pool(Stream& stream, View out, View x, Span<const Segment> segments, ops::Pooling mode) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const auto count = static_cast<std::int64_t>(segments.size());
        const std::int64_t longest = std::max<std::int64_t>(1, x.size(0) / std::max<std::int64_t>(1, count));  // about
        for_rows(stream, count, longest * x.size(1),
                 [&](std::int64_t i) { pool_rows<T>(stream.isa(), out.row<float>(i), x, segments[static_cast<std::size_t>(i)], mode); });
    });
}

void l2_normalize(Stream& stream, View x) {
    const auto normalize = encoder_rows<float>(stream.isa()).normalize;
    for_rows(stream, x.size(0), 2 * x.size(1), [&](std::int64_t i) { normalize(x.row<float>(i), x.size(1)); });
}

}  // namespace temper::cpu
