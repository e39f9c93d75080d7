// Checks the arguments of the ops but the linears (linear.cpp) and those that only encoders have (encoder_ops.cpp), and hands over to the device.
#include "kernels/ops.h"

#include "kernels/check.h"
#include "kernels/op_table.h"

namespace temper::ops {
namespace {

void check_segment(const char* op, const Segment& s, std::size_t index, std::int64_t tokens, std::int64_t keys) {
    const bool queries_fit = s.begin >= 0 && s.length >= 0 && s.begin + s.length <= tokens;
    const bool keys_fit = s.key_begin >= 0 && s.key_begin + s.length <= keys;
    const bool prefix_fits = s.prefix_length >= 0 && (s.prefix_length == 0 || (s.prefix_begin >= 0 && s.prefix_begin + s.prefix_length <= keys));
    if (!queries_fit || !keys_fit || !prefix_fits)
        throw_error(ExitCode::internal, "{}: segment {} is rows [{}, +{}), keys [{}, +{}), prefix [{}, +{}), of {} rows and {} keys", op, index,
                    s.begin, s.length, s.key_begin, s.length, s.prefix_begin, s.prefix_length, tokens, keys);
}

void check_bias(const AttentionRule& rule, const View& q, const View& k, Span<const Segment> segments) {
    const char* const op = "attention";
    check::rank(op, "bias", rule.bias, 2);
    check::dtype(op, "bias", rule.bias, DType::f32);
    check::shape(op, "bias", rule.bias, {q.size(1), rule.bias.size(1) / 2 * 2 + 1}, {"a row a head of q, for as many distances behind as before", q});
    check::rows_contiguous(op, "bias", rule.bias);
    if (rule.causal || rule.softcap > 0.0f)
        throw_error(ExitCode::internal, "{}: a bias with causal {} and softcap {}, expected false and 0", op, rule.causal, rule.softcap);
    check::shape(op, "k", k, {k.size(0), q.size(1), k.size(2)}, {"with a bias: as many heads as q", q});
    for (std::size_t i = 0; i < segments.size(); ++i)
        if (segments[i].prefix_length > 0) throw_error(ExitCode::internal, "{}: a bias, and segment {} has a prefix, expected none", op, i);
}

void check_heads(const char* op, const View& q, const View& k, const View& v, const AttentionRule& rule) {
    if (!(rule.scale > 0.0f)) throw_error(ExitCode::internal, "{}: scale is {}, expected a positive number", op, rule.scale);
    if (!(rule.softcap >= 0.0f) || rule.window < 0)
        throw_error(ExitCode::internal, "{}: softcap is {} and window {}, expected 0 or more", op, rule.softcap, rule.window);
    if (!rule.causal && rule.window != 0)
        throw_error(ExitCode::internal, "{}: a window of {} where queries see keys behind them, expected none", op, rule.window);
    check::rank(op, "q", q, 3);
    check::floating(op, "q", q);
    check::rows_contiguous(op, "q", q);
    check::rank(op, "k", k, 3);
    check::dtype(op, "k", k, q.dtype);
    check::shape(op, "k", k, {k.size(0), k.size(1), q.size(2)}, {"heads as wide as those of q", q});
    check::rows_contiguous(op, "k", k);
    check::like(op, "v", v, "k", k);
    if (k.size(1) < 1 || q.size(1) % k.size(1) != 0)
        throw_error(ExitCode::internal, "{}: q {} has {} heads, expected a multiple of the {} heads of k", op, check::shape_text(q), q.size(1),
                    k.size(1));
}

// A flat f32 vector as long as another.
void check_flat(const char* op, const char* name, const View& view, const char* other_name, const View& other) {
    check::dtype(op, name, view, DType::f32);
    check::shape(op, name, view, {other.size(0)}, {"the length of", other_name});
    check::contiguous(op, name, view);
}

// What an embedding gives, or its gradient, and the ids, of a table of `rows` rows.
void check_embedding(const char* op, const char* name, const View& out, const View& ids, DType dtype, std::int64_t rows, std::int64_t width) {
    check::rank(op, "ids", ids, 1);
    check::dtype(op, "ids", ids, DType::i32);
    check::dtype(op, name, out, dtype);
    check::shape(op, name, out, {ids.size(0), width}, "the length of ids by the width of the table");
    check::rows_contiguous(op, name, out);
    if (ids.device != Device::cpu) return;  // checked where they came from
    const std::int32_t* id = ids.as<std::int32_t>();
    for (std::int64_t i = 0; i < ids.size(0); ++i)
        if (id[i] < 0 || id[i] >= rows)
            throw_error(ExitCode::internal, "{}: ids[{}] is {}, expected 0 to {}, the rows of the table", op, i, id[i], rows - 1);
}

void check_positions(View positions, const RopeTable& table) {
    const std::int32_t* position = positions.as<std::int32_t>();
    for (std::int64_t i = 0; i < positions.size(0); ++i)
        if (position[i] < 0 || position[i] >= table.cosine.size(0))
            throw_error(ExitCode::internal, "rope: positions[{}] is {}, expected 0 to {}, the rows of the table", i, position[i],
                        table.cosine.size(0) - 1);
}

void check_normed(const char* op, const View& x, const View& weight) {
    if (x.rank != 3) check::rank(op, "x", x, 2);
    check::floating(op, "x", x);
    check::rows_contiguous(op, "x", x);
    check::dtype(op, "weight", weight, DType::f32);
    check::shape(op, "weight", weight, {x.size(-1)}, {"the last dimension of x", x});
}

void check_glu(const char* op, const View& activated, const char* name, const View& gate_up) {
    check::rank(op, "gate_up", gate_up, 2);
    check::floating(op, "gate_up", gate_up);
    check::rows_contiguous(op, "gate_up", gate_up);
    check::dtype(op, name, activated, gate_up.dtype);
    check::shape(op, name, activated, {gate_up.size(0), gate_up.size(1) / 2}, {"half of gate_up", gate_up});
    check::rows_contiguous(op, name, activated);
}

}  // namespace

void embedding(Stream& stream, View out, View ids, View table) {
    check::rank("embedding", "table", table, 2);
    check::floating("embedding", "table", table);
    check::rows_contiguous("embedding", "table", table);
    check_embedding("embedding", "out", out, ids, table.dtype, table.size(0), table.size(1));
    return kernels_of(stream.device()).embedding(stream, out, ids, table);
}

void embedding(Stream& stream, View out, View ids, const PreparedLinear& table) {
    check_embedding("embedding", "out", out, ids, table.dtype(), table.out(), table.in());
    if (table.impl().in_panels) throw_error(ExitCode::internal, "embedding: the table ({}, {}) lies in panels", table.out(), table.in());
    return kernels_of(stream.device()).embedding_of_weight(stream, out, ids, table.impl());
}

void embedding_backward(Stream& stream, View d_table, View ids, View d_out, float scale, bool accumulate) {
    const char* const op = "embedding_backward";
    check::rank(op, "d_table", d_table, 2);
    check::dtype(op, "d_table", d_table, DType::f32);
    check::rows_contiguous(op, "d_table", d_table);
    check::floating(op, "d_out", d_out);
    check_embedding(op, "d_out", d_out, ids, d_out.dtype, d_table.size(0), d_table.size(1));
    return kernels_of(stream.device()).embedding_backward(stream, d_table, ids, d_out, scale, accumulate);
}

void spread_rows(Stream& stream, View x, View rows) {
    check::rank("spread_rows", "x", x, 2);
    check::floating("spread_rows", "x", x);
    check::rows_contiguous("spread_rows", "x", x);
    check::rank("spread_rows", "rows", rows, 1);
    check::dtype("spread_rows", "rows", rows, DType::i32);
    const std::int32_t* row = rows.as<std::int32_t>();
    for (std::int64_t i = 0; rows.device == Device::cpu && i < rows.size(0); ++i)
        if (row[i] >= x.size(0) || row[i] < (i > 0 ? row[i - 1] + 1 : 0))
            throw_error(ExitCode::internal, "spread_rows: rows[{}] is {}, expected ascending rows of x {}", i, row[i], x.describe());
    return kernels_of(stream.device()).spread_rows(stream, x, rows);
}

void rms_norm(Stream& stream, View y, View x, View weight, float epsilon, View residual) {
    check_normed("rms_norm", x, weight);
    check::like("rms_norm", "y", y, "x", x);
    if (!residual.empty()) check::like("rms_norm", "residual", residual, "x", x);
    return kernels_of(stream.device()).rms_norm(stream, y, x, weight, epsilon, residual);
}

void rms_norm_backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    check_normed("rms_norm_backward", x, weight);
    check::like("rms_norm_backward", "d_x", d_x, "x", x);
    check::like("rms_norm_backward", "d_y", d_y, "x", x);
    if (!d_residual.empty()) check::like("rms_norm_backward", "d_residual", d_residual, "x", x);
    return kernels_of(stream.device()).rms_norm_backward(stream, d_x, d_y, x, weight, epsilon, d_residual);
}

void rope(Stream& stream, View x, View positions, RopeTable table, bool inverse) {
    check::rank("rope", "x", x, 3);
    check::floating("rope", "x", x);
    check::rows_contiguous("rope", "x", x);
    if (x.size(2) % 2 != 0) throw_error(ExitCode::internal, "rope: x has shape {}, expected heads of an even width", check::shape_text(x));
    check::dtype("rope", "positions", positions, DType::i32);
    check::shape("rope", "positions", positions, {x.size(0)}, {"with the rows of x", x});
    check::dtype("rope", "cosine", table.cosine, DType::f32);
    check::rank("rope", "cosine", table.cosine, 2);
    if (2 * table.cosine.size(1) > x.size(2))
        throw_error(ExitCode::internal, "rope: cosine has shape {}, expected at most half the heads of x {}", check::shape_text(table.cosine),
                    check::shape_text(x));
    check::rows_contiguous("rope", "cosine", table.cosine);
    check::like("rope", "sine", table.sine, "cosine", table.cosine);
    if (positions.device == Device::cpu) check_positions(positions, table);
    kernels_of(stream.device()).rope(stream, x, positions, table, inverse);
}

void swiglu(Stream& stream, View activated, View gate_up) {
    check_glu("swiglu", activated, "activated", gate_up);
    return kernels_of(stream.device()).swiglu(stream, activated, gate_up);
}

void swiglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    check_glu("swiglu_backward", d_activated, "d_activated", gate_up);
    check::like("swiglu_backward", "d_gate_up", d_gate_up, "gate_up", gate_up);
    return kernels_of(stream.device()).swiglu_backward(stream, d_gate_up, d_activated, gate_up);
}

void geglu(Stream& stream, View activated, View gate_up) {
    check_glu("geglu", activated, "activated", gate_up);
    return kernels_of(stream.device()).geglu(stream, activated, gate_up);
}

void geglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    check_glu("geglu_backward", d_activated, "d_activated", gate_up);
    check::like("geglu_backward", "d_gate_up", d_gate_up, "gate_up", gate_up);
    return kernels_of(stream.device()).geglu_backward(stream, d_gate_up, d_activated, gate_up);
}

void scale_rows(Stream& stream, View x, Span<const float> factors) {
    check::rank("scale_rows", "x", x, 2);
    check::floating("scale_rows", "x", x);
    check::rows_contiguous("scale_rows", "x", x);
    if (static_cast<std::int64_t>(factors.size()) != x.size(0))
        throw_error(ExitCode::internal, "scale_rows: {} factors for x {}, expected one a row", factors.size(), x.describe());
    return kernels_of(stream.device()).scale_rows(stream, x, factors);
}

void scale(Stream& stream, View x, float factor) {
    check::rank("scale", "x", x, 2);
    check::floating("scale", "x", x);
    check::rows_contiguous("scale", "x", x);
    return kernels_of(stream.device()).scale(stream, x, factor);
}

void softcap(Stream& stream, View x, float cap) {
    check::rank("softcap", "x", x, 2);
    check::dtype("softcap", "x", x, DType::f32);
    check::rows_contiguous("softcap", "x", x);
    if (!(cap > 0.0f)) throw_error(ExitCode::internal, "softcap: cap is {}, expected a positive number", cap);
    return kernels_of(stream.device()).softcap(stream, x, cap);
}

void attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule) {
    check_heads("attention", q, k, v, rule);
    check::like("attention", "out", out, "q", q);
    if (!rule.bias.empty()) check_bias(rule, q, k, segments);
    if (!lse.empty()) {
        check::dtype("attention", "lse", lse, DType::f32);
        check::shape("attention", "lse", lse, {q.size(0), q.size(1)}, {"rows and heads of q", q});
    }
    for (std::size_t i = 0; i < segments.size(); ++i) check_segment("attention", segments[i], i, q.size(0), k.size(0));
    return kernels_of(stream.device()).attention(stream, out, lse, q, k, v, segments, rule);
}

void attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule) {
    check_heads("attention_backward", q, k, v, rule);
    if (!rule.causal) throw_error(ExitCode::internal, "attention_backward: the rule is not causal, of which there is the forward pass alone");
    check::like("attention_backward", "d_q", d_q, "q", q);
    check::like("attention_backward", "d_k", d_k, "k", k);
    check::like("attention_backward", "d_v", d_v, "k", k);
    check::like("attention_backward", "d_out", d_out, "q", q);
    check::like("attention_backward", "out", out, "q", q);
    check::dtype("attention_backward", "lse", lse, DType::f32);
    check::shape("attention_backward", "lse", lse, {q.size(0), q.size(1)}, {"rows and heads of q", q});
    check::shape("attention_backward", "k", k, {q.size(0), k.size(1), k.size(2)}, {"with the rows of q", q});
    std::int64_t end = 0;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& s = segments[i];
        check_segment("attention_backward", s, i, q.size(0), k.size(0));
        if (s.begin < end || s.key_begin != s.begin || (s.prefix_length > 0 && s.prefix_begin + s.prefix_length > s.begin))
            throw_error(ExitCode::internal,
                        "attention_backward: segment {} is rows [{}, +{}), keys at {}, prefix [{}, +{}), expected segments in order, each with its "
                        "own keys on its rows and its prefix before them",
                        i, s.begin, s.length, s.key_begin, s.prefix_begin, s.prefix_length);
        end = s.begin + s.length;
    }
    return kernels_of(stream.device()).attention_backward(stream, d_q, d_k, d_v, d_out, out, lse, q, k, v, segments, rule);
}

std::size_t attention_backward_scratch(Device device, DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                       std::int64_t longest, int threads) {
    return kernels_of(device).attention_backward_scratch(dtype, tokens, heads, kv_heads, d, longest, threads);
}

std::size_t vector_ops_scratch(Device device, DType dtype, std::int64_t tokens, std::int64_t width, std::int64_t parameters) {
    return kernels_of(device).vector_ops_scratch(dtype, tokens, width, parameters);
}

void adamw(Stream& stream, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const AdamW& config) {
    check::rank("adamw", "parameters", parameters, 1);
    check_flat("adamw", "parameters", parameters, "parameters", parameters);
    check_flat("adamw", "gradients", gradients, "parameters", parameters);
    check_flat("adamw", "first_moment", first_moment, "parameters", parameters);
    check_flat("adamw", "second_moment", second_moment, "parameters", parameters);
    if (config.step < 1) throw_error(ExitCode::internal, "adamw: step is {}, expected 1 or more", config.step);
    return kernels_of(stream.device()).adamw(stream, parameters, gradients, first_moment, second_moment, grad_scale, config);
}

double global_norm(Stream& stream, View values) {
    check::rank("global_norm", "values", values, 1);
    check_flat("global_norm", "values", values, "values", values);
    return kernels_of(stream.device()).global_norm(stream, values);
}

void copy(Stream& stream, View target, View source) {
    const bool narrows = target.dtype == DType::bf16 && source.dtype == DType::f32;
    if (target.rank != 2 || source.rank != 2 || target.shape != source.shape || (target.dtype != source.dtype && !narrows))
        throw_error(ExitCode::internal, "copy: target is {}, source {}: expected equal matrices", target.describe(), source.describe());
    kernels_of(stream.device()).copy(stream, target, source);
}

void put_rows(Stream& stream, View target, View source, View rows) {
    const char* const op = "put_rows";
    check::rank(op, "target", target, 2);
    check::floating(op, "target", target);
    check::rows_contiguous(op, "target", target);
    check::dtype(op, "source", source, target.dtype);
    check::shape(op, "source", source, {rows.size(0), target.size(1)}, {"a row for each of rows, as wide as target", target});
    check::rows_contiguous(op, "source", source);
    check::rank(op, "rows", rows, 1);
    check::dtype(op, "rows", rows, DType::i32);
    for (std::int64_t i = 0; rows.device == Device::cpu && i < rows.size(0); ++i)
        if (rows.as<std::int32_t>()[i] < 0) throw_error(ExitCode::internal, "{}: rows[{}] is {}", op, i, rows.as<std::int32_t>()[i]);
    return kernels_of(stream.device()).put_rows(stream, target, source, rows);
}

void add(Stream& stream, View target, View source) {
    check::rank("add", "target", target, 1);
    check_flat("add", "target", target, "target", target);
    check_flat("add", "source", source, "target", target);
    return kernels_of(stream.device()).add(stream, target, source);
}

std::int64_t first_non_finite(Stream& stream, View values) {
    check::floating("first_non_finite", "values", values);
    check::rows_contiguous("first_non_finite", "values", values);
    return kernels_of(stream.device()).first_non_finite(stream, values);
}

}  // namespace temper::ops
