// Checks the arguments of the ops that encoders have beside those of decoders (ops.cpp), and hands over to the device.
#include "kernels/check.h"
#include "kernels/op_table.h"
#include "kernels/ops.h"

namespace temper::ops {
namespace {

void check_rows(const char* op, const char* name, const View& x) {
    check::rank(op, name, x, 2);
    check::floating(op, name, x);
    check::rows_contiguous(op, name, x);
}

void check_part(const EmbeddingPart& part, const View& out) {
    const char* const op = "embedding_sum";
    check_rows(op, "a table", part.table);
    check::dtype(op, "a table", part.table, out.dtype);
    check::shape(op, "a table", part.table, {part.table.size(0), out.size(1)}, {"as wide as out", out});
    check::rank(op, "ids", part.ids, 1);
    check::dtype(op, "ids", part.ids, DType::i32);
    check::shape(op, "ids", part.ids, {out.size(0)}, {"one a row of out", out});
    if (part.ids.device != Device::cpu) return;  // checked where they came from
    const std::int32_t* const id = part.ids.as<std::int32_t>();
    for (std::int64_t i = 0; i < part.ids.size(0); ++i)
        if (id[i] < 0 || id[i] >= part.table.size(0))
            throw_error(ExitCode::internal, "{}: ids[{}] is {}, expected 0 to {}, the rows of the table", op, i, id[i], part.table.size(0) - 1);
}

}  // namespace

void layer_norm(Stream& stream, View y, View x, View weight, View bias, float epsilon, View residual) {
    const char* const op = "layer_norm";
    check_rows(op, "x", x);
    check::dtype(op, "weight", weight, DType::f32);
    check::shape(op, "weight", weight, {x.size(1)}, {"the last dimension of x", x});
    check::dtype(op, "bias", bias, DType::f32);
    check::shape(op, "bias", bias, {x.size(1)}, {"the last dimension of x", x});
    check::like(op, "y", y, "x", x);
    if (!residual.empty()) check::like(op, "residual", residual, "x", x);
    kernels_of(stream.device()).layer_norm(stream, y, x, weight, bias, epsilon, residual);
}

void pointwise(Stream& stream, View x, Pointwise function) {
    check_rows("pointwise", "x", x);
    kernels_of(stream.device()).pointwise(stream, x, function);
}

void embedding_sum(Stream& stream, View out, Span<const EmbeddingPart> parts) {
    check_rows("embedding_sum", "out", out);
    if (parts.empty() || parts.size() > 4) throw_error(ExitCode::internal, "embedding_sum: {} parts, expected 1 to 4", parts.size());
    for (const EmbeddingPart& part : parts) check_part(part, out);
    kernels_of(stream.device()).embedding_sum(stream, out, parts);
}

void pool(Stream& stream, View out, View x, Span<const Segment> segments, Pooling mode) {
    const char* const op = "pool";
    check_rows(op, "x", x);
    check::dtype(op, "out", out, DType::f32);
    check::shape(op, "out", out, {static_cast<std::int64_t>(segments.size()), x.size(1)}, {"a row a segment, as wide as x", x});
    check::rows_contiguous(op, "out", out);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& s = segments[i];
        if (s.begin < 0 || s.length < 0 || s.begin + s.length > x.size(0))
            throw_error(ExitCode::internal, "{}: segment {} is rows [{}, +{}), expected rows of x {}", op, i, s.begin, s.length, x.describe());
    }
    kernels_of(stream.device()).pool(stream, out, x, segments, mode);
}

void l2_normalize(Stream& stream, View x) {
    check_rows("l2_normalize", "x", x);
    check::dtype("l2_normalize", "x", x, DType::f32);
    kernels_of(stream.device()).l2_normalize(stream, x);
}

}  // namespace temper::ops
