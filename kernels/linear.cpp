// The boundary of the linear ops: arguments are checked here once, then the device is chosen.
#include <algorithm>

#include "kernels/op_table.h"

namespace temper {
namespace {

void check_matrix(const char* op, const char* name, View view, DType dtype, std::int64_t rows, std::int64_t columns, const char* reason) {
    if (view.rank == 2 && view.dtype == dtype && view.size(0) == rows && view.size(1) == columns) return;
    throw_error(ExitCode::internal, "{}: {} is {}, expected {} ({}, {}), {}", op, name, view.describe(), name_of(dtype), rows, columns, reason);
}

void check_vector(const char* op, const char* name, View view, DType dtype, std::int64_t size, const char* reason) {
    if (view.rank == 1 && view.dtype == dtype && view.size(0) == size) return;
    throw_error(ExitCode::internal, "{}: {} is {}, expected {} ({}), {}", op, name, view.describe(), name_of(dtype), size, reason);
}

}  // namespace

void check_epilogue(View y, const Epilogue& e) {
    const char* const op = "linear";
    const std::int64_t n = y.size(0), out = y.size(1);
    switch (e.kind) {
        case Epilogue::Kind::none:
        case Epilogue::Kind::pointwise: return;
        case Epilogue::Kind::rope:
            check_vector(op, "positions", e.positions, DType::i32, n, "one a row of y");
            if (e.head_size <= 0 || e.head_size % 2 != 0 || e.rotated_heads * e.head_size > out)
                throw_error(ExitCode::internal, "{}: rope of {} heads of {}, expected even heads that fit y {}", op, e.rotated_heads, e.head_size,
                            y.describe());
            for (const View& table : {e.rope_table.cosine, e.rope_table.sine})
                check_matrix(op, "rope table", table, DType::f32, table.size(0), std::min(table.size(1), e.head_size / 2),
                             "at most half a head a position");
            return;
        case Epilogue::Kind::swiglu:
        case Epilogue::Kind::geglu:
            if (out % 2 != 0) throw_error(ExitCode::internal, "{}: a gated unit of y {}, expected an even width: gate and up", op, y.describe());
            return check_matrix(op, "activated", e.activated, y.dtype, n, out / 2, "half of y");
        case Epilogue::Kind::residual:
            check_matrix(op, "residual", e.residual, y.dtype, n, out, "as y");
            if (e.normed.empty()) return;
            check_matrix(op, "normed", e.normed, y.dtype, n, out, "as y");
            if (!e.norm_bias.empty()) check_vector(op, "norm_bias", e.norm_bias, DType::f32, out, "the width of y");
            return check_vector(op, "norm_weight", e.norm_weight, DType::f32, out, "the width of y");
    }
}

namespace {

void check_leaves(Span<const Leaf> leaves, std::int64_t n, bool may_end) {
    std::int64_t next = 0;
    for (const Leaf& leaf : leaves) {
        if (leaf.begin != next || leaf.length < 0)
            throw_error(ExitCode::internal, "linear_backward: a leaf is [{}, {}), expected to begin at {}", leaf.begin, leaf.begin + leaf.length,
                        next);
        next += leaf.length;
    }
    if (next > n || (next < n && !may_end)) throw_error(ExitCode::internal, "linear_backward: the leaves cover {} tokens of {}", next, n);
}

// Largest offset that the adapters reach in a flat parameter vector.
std::int64_t parameters_needed(const PreparedLinear::Impl& w) {
    std::int64_t needed = 0;
    for (const AdapterSlot& slot : w.adapters)
        needed = std::max({needed, slot.offset_a + slot.rank * w.in, slot.offset_b + slot.out_size * slot.rank,
                           slot.offset_m + (slot.offset_m < 0 ? 0 : slot.out_size)});
    return needed;
}

void check_slots(const PreparedLinear::Impl& w) {
    for (const AdapterSlot& slot : w.adapters) {
        if (slot.rank < 1 || slot.out_begin < 0 || slot.out_size < 1 || slot.out_begin + slot.out_size > w.out || slot.offset_a < 0 ||
            slot.offset_b < 0)
            throw_error(ExitCode::internal, "PreparedLinear: an adapter of rank {} on outputs [{}, {}) at {} and {}, expected inside [0, {})",
                        slot.rank, slot.out_begin, slot.out_begin + slot.out_size, slot.offset_a, slot.offset_b, w.out);
    }
}

void check_dropout(const char* op, const Dropout& dropout, std::int64_t n) {
    if (!dropout.active()) return;
    if (!(dropout.probability < 1.0f)) throw_error(ExitCode::internal, "{}: dropout is {}, expected below 1", op, dropout.probability);
    check_vector(op, "dropout rows", dropout.rows, DType::i32, n, "one a row of x");
    check_vector(op, "dropout tokens", dropout.tokens, DType::i32, n, "one a row of x");
}

}  // namespace

Epilogue Epilogue::rope(RopeTable table, View positions, std::int64_t rotated_heads, std::int64_t head_size) {
    Epilogue e;
    e.kind = Kind::rope;
    e.rope_table = table;
    e.positions = positions;
    e.rotated_heads = rotated_heads;
    e.head_size = head_size;
    return e;
}

Epilogue Epilogue::swiglu(View activated) {
    Epilogue e;
    e.kind = Kind::swiglu;
    e.activated = activated;
    return e;
}

Epilogue Epilogue::geglu(View activated) {
    Epilogue e = swiglu(activated);
    e.kind = Kind::geglu;
    return e;
}

Epilogue Epilogue::pointwise(Pointwise function) {
    Epilogue e;
    e.kind = Kind::pointwise;
    e.function = function;
    return e;
}

Epilogue Epilogue::add_residual(View residual) {
    Epilogue e;
    e.kind = Kind::residual;
    e.residual = residual;
    return e;
}

Epilogue Epilogue::add_residual_norm(View residual, View norm_weight, float epsilon, View normed) {
    Epilogue e = add_residual(residual);
    e.norm_weight = norm_weight;
    e.normed = normed;
    e.norm_epsilon = epsilon;
    return e;
}

Epilogue Epilogue::add_residual_layer_norm(View residual, View weight, View bias, float epsilon, View normed) {
    Epilogue e = add_residual_norm(residual, weight, epsilon, normed);
    e.norm_bias = bias;
    return e;
}

void PreparedLinear::Impl::count_ranks() {
    rank_begin.clear();
    rank_total = 0;
    dora = false;
    for (const AdapterSlot& slot : adapters) {
        dora = dora || slot.offset_m >= 0;
        rank_begin.push_back(rank_total);
        rank_total += slot.rank;
    }
}

PreparedLinear::PreparedLinear() = default;
PreparedLinear::~PreparedLinear() = default;
PreparedLinear::PreparedLinear(PreparedLinear&&) noexcept = default;
PreparedLinear& PreparedLinear::operator=(PreparedLinear&&) noexcept = default;

PreparedLinear::PreparedLinear(Stream& stream, Span<const View> weights, View bias, std::vector<AdapterSlot> adapters, Options options)
    : impl_(kernels_of(stream.device()).make_linear()) {
    if (weights.empty()) throw_error(ExitCode::internal, "PreparedLinear: no weight was given");
    Impl& w = *impl_;
    w.dtype = weights[0].dtype;
    w.in = weights[0].rank == 2 ? weights[0].size(1) : 0;
    w.backward = options.backward;
    if (w.dtype == DType::i32 || w.in < 1)
        throw_error(ExitCode::internal, "PreparedLinear: a weight is {}, expected float32 or bfloat16 (out, in)", weights[0].describe());
    for (const View& part : weights) {
        check_matrix("PreparedLinear", "a weight", part, w.dtype, part.size(0), w.in, "the width of the first");
        w.out += part.size(0);
    }
    if (!bias.empty()) check_vector("PreparedLinear", "bias", bias, DType::f32, w.out, "the outputs of the weight");
    w.adapters = std::move(adapters);
    check_slots(w);
    w.in_panels = options.panels;
    if (w.in_panels && (w.dtype != DType::f32 || w.backward || !w.adapters.empty()))
        throw_error(ExitCode::internal, "PreparedLinear: panels of a {} weight with {} adapters, expected float32, none, and the forward pass alone",
                    name_of(w.dtype), w.adapters.size());
    w.load(stream, weights, bias);
}

PreparedLinear::PreparedLinear(Stream& stream, Span<const QuantView> weights, DType dtype, View bias, std::vector<AdapterSlot> adapters,
                               Options options)
    : impl_(kernels_of(stream.device()).make_linear()) {
    if (weights.empty() || dtype == DType::i32)
        throw_error(ExitCode::internal, "PreparedLinear: {} quantised weights as {}", weights.size(), name_of(dtype));
    Impl& w = *impl_;
    w.dtype = dtype;
    w.in = weights[0].in;
    w.backward = options.backward;
    for (const QuantView& part : weights) {
        const Encoding* const encoding = part.format.encoding;
        if (!part.format.stored() || part.in != w.in || part.in < 1 || (encoding != nullptr && part.in % encoding->elements != 0))
            throw_error(ExitCode::internal, "PreparedLinear: a quantised weight is ({}, {}), expected whole blocks and the width {} of the first",
                        part.out, part.in, w.in);
        w.out += part.out;
        w.parts.push_back(part);
    }
    if (!bias.empty()) check_vector("PreparedLinear", "bias", bias, DType::f32, w.out, "the outputs of the weight");
    w.adapters = std::move(adapters);
    check_slots(w);
    w.load_quantized(stream, weights, bias);
}

void PreparedLinear::Impl::load_blank(Stream&, bool) { throw_error(ExitCode::internal, "PreparedLinear: nothing is rehearsed on this device"); }

PreparedLinear PreparedLinear::blank(Stream& stream, DType dtype, std::int64_t out, std::int64_t in, Span<const QuantShape> parts,
                                     std::vector<AdapterSlot> adapters, Options options, Bias bias) {
    PreparedLinear linear;
    linear.impl_ = kernels_of(stream.device()).make_linear();
    Impl& w = *linear.impl_;
    w.dtype = dtype;
    w.out = out;
    w.in = in;
    w.parts.assign(parts.begin(), parts.end());
    w.backward = options.backward;
    w.has_bias = bias != Bias::none;
    w.adapters = std::move(adapters);
    check_slots(w);
    w.load_blank(stream, bias == Bias::fits);
    return linear;
}

void PreparedLinear::refresh_adapter(Stream& stream, View parameters) {
    Impl& w = *impl_;
    if (parameters.rank != 1 || parameters.dtype != DType::f32 || parameters.size(0) < parameters_needed(w))
        throw_error(ExitCode::internal, "refresh_adapter: parameters are {}, expected float32 of at least ({})", parameters.describe(),
                    parameters_needed(w));
    w.refresh(stream, parameters);
}

void PreparedLinear::replace(Stream& stream, View weight) {
    check_matrix("PreparedLinear::replace", "weight", weight, DType::f32, impl_->out, impl_->in, "as the weight that it replaces");
    if (!impl_->parts.empty()) throw_error(ExitCode::internal, "PreparedLinear::replace: the weight ({}, {}) is quantised", impl_->out, impl_->in);
    if (impl_->in_panels) throw_error(ExitCode::internal, "PreparedLinear::replace: the weight ({}, {}) lies in panels", impl_->out, impl_->in);
    if (impl_->dora) throw_error(ExitCode::internal, "PreparedLinear::replace: the weight has a DoRA adapter, whose scales belong to it");
    impl_->replace(stream, weight);
}

std::int64_t PreparedLinear::in() const { return impl_->in; }
std::int64_t PreparedLinear::out() const { return impl_->out; }
std::int64_t PreparedLinear::rank_total() const { return impl_->rank_total; }
DType PreparedLinear::dtype() const { return impl_->dtype; }
const std::vector<AdapterSlot>& PreparedLinear::adapters() const { return impl_->adapters; }
std::size_t PreparedLinear::bytes() const { return impl_->bytes(); }

namespace {

std::size_t predicted(DType dtype, std::int64_t out, std::int64_t in, Span<const QuantShape> parts, std::int64_t rank_total, bool bias,
                      PreparedLinear::Options options) {
    const std::unique_ptr<PreparedLinear::Impl> shape = kernels_of(options.device).make_linear();
    PreparedLinear::Impl& w = *shape;
    w.dtype = dtype;
    w.out = out;
    w.in = in;
    w.parts.assign(parts.begin(), parts.end());
    w.backward = options.backward;
    w.has_bias = bias;
    w.in_panels = options.panels;
    if (rank_total > 0) w.adapters = {{0, out, rank_total, 1.0f, 0, 0, options.dora ? 0 : -1}};  // as if one adapter covered all outputs
    return w.predict_bytes();
}

}  // namespace

std::size_t PreparedLinear::predict_bytes(DType dtype, std::int64_t out, std::int64_t in, std::int64_t rank_total, bool bias, Options options) {
    return predicted(dtype, out, in, {}, rank_total, bias, options);
}

std::size_t PreparedLinear::predict_bytes(DType dtype, Span<const QuantShape> parts, std::int64_t rank_total, bool bias, Options options) {
    std::int64_t out = 0;
    for (const QuantShape& part : parts) out += part.out;
    return predicted(dtype, out, parts[0].in, parts, rank_total, bias, options);
}

namespace ops {

void linear(Stream& stream, View y, View x, const PreparedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
            std::int64_t adapted) {
    const PreparedLinear::Impl& w = weight.impl();
    if (adapted < 0) adapted = x.size(0);
    const char* const op = "linear";
    check_matrix(op, "x", x, w.dtype, x.size(0), w.in, "the input of the weight");
    // Logits may leave a bfloat16 weight unrounded.
    const bool unrounded = w.dtype == DType::bf16 && y.dtype == DType::f32 && epilogue.kind == Epilogue::Kind::none;
    check_matrix(op, "y", y, unrounded ? DType::f32 : w.dtype, x.size(0), w.out, "the output of the weight for every row of x");
    if (adapted > x.size(0)) throw_error(ExitCode::internal, "{}: {} adapted rows of x {}", op, adapted, x.describe());
    if (!s.empty()) check_matrix(op, "s", s, w.dtype, adapted, w.rank_total, "the adapters' ranks for every adapted row");
    check_epilogue(y, epilogue);
    if (w.adapters.empty()) adapted = 0;
    if (adapted > 0) check_dropout(op, dropout, adapted);
    kernels_of(stream.device()).linear(stream, y, x, w, s, epilogue, adapted > 0 ? dropout : Dropout(), adapted);
}

void linear_backward(Stream& stream, View d_x, View d_adapter, View d_y, const PreparedLinear& weight, View x, View s, Span<const Leaf> leaves,
                     const Dropout& dropout) {
    const PreparedLinear::Impl& w = weight.impl();
    const char* const op = "linear_backward";
    const std::int64_t n = d_y.size(0);
    if (!w.backward) throw_error(ExitCode::internal, "{}: the weight ({}, {}) was prepared for inference", op, w.out, w.in);
    check_matrix(op, "d_y", d_y, w.dtype, n, w.out, "the output of the weight");
    if (!d_x.empty()) check_matrix(op, "d_x", d_x, w.dtype, n, w.in, "the input of the weight for every row of d_y");
    if (!w.adapters.empty()) {
        check_matrix(op, "x", x, w.dtype, n, w.in, "the input of the weight for every row of d_y");
        check_matrix(op, "s", s, w.dtype, n, w.rank_total, "the adapters' ranks");
        check_leaves(leaves, n, stream.device() == Device::cuda);
        check_dropout(op, dropout, n);
        if (d_adapter.rank != 2 || d_adapter.dtype != DType::f32 || d_adapter.size(0) != static_cast<std::int64_t>(leaves.size()) ||
            d_adapter.size(1) < parameters_needed(w))
            throw_error(ExitCode::internal, "{}: d_adapter is {}, expected float32 ({}, at least {})", op, d_adapter.describe(), leaves.size(),
                        parameters_needed(w));
    }
    kernels_of(stream.device()).linear_backward(stream, d_x, d_adapter, d_y, w, x, s, leaves, w.adapters.empty() ? Dropout() : dropout);
}

namespace {

void check_labels(const char* op, View x, const PreparedLinear::Impl& head, View nll, Span<const std::int32_t> rows,
                  Span<const std::int32_t> labels) {
    const std::int64_t m = static_cast<std::int64_t>(rows.size()), n = x.size(0);
    check_matrix(op, "x", x, head.dtype, n, head.in, "the input of the head");
    if (!head.adapters.empty()) throw_error(ExitCode::internal, "{}: the head has {} adapters, expected none", op, head.adapters.size());
    if (head.in_panels) throw_error(ExitCode::internal, "{}: the head ({}, {}) lies in panels", op, head.out, head.in);
    check_vector(op, "nll", nll, DType::f32, m, "one a labelled row");
    if (labels.size() != rows.size()) throw_error(ExitCode::internal, "{}: {} labels for {} rows", op, labels.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] < 0 || rows[i] >= n || (i > 0 && rows[i] <= rows[i - 1]))
            throw_error(ExitCode::internal, "{}: rows[{}] is {}, expected ascending rows of x {}", op, i, rows[i], x.describe());
        if (labels[i] < 0 || labels[i] >= head.out)
            throw_error(ExitCode::bad_data, "{}: the label of row {} is {}, expected an id below {}", op, rows[i], labels[i], head.out);
    }
}

}  // namespace

void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const PreparedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap) {
    const PreparedLinear::Impl& w = head.impl();
    const char* const op = "linear_cross_entropy";
    check_labels(op, x, w, nll, rows, labels);
    if (!d_x.empty()) check_matrix(op, "d_x", d_x, w.dtype, x.size(0), w.in, "as x");
    if (!d_x.empty() && !w.backward) throw_error(ExitCode::internal, "{}: the head ({}, {}) was prepared for inference", op, w.out, w.in);
    check_vector(op, "correct", correct, DType::i32, nll.size(0), "one a labelled row");
    kernels_of(stream.device()).linear_cross_entropy(stream, nll, correct, d_x, x, w, rows, labels, grad_scale, softcap);
}

void linear_cross_entropy_weight(Stream& stream, View d_weight, View x, const PreparedLinear& head, View nll, Span<const std::int32_t> rows,
                                 Span<const std::int32_t> labels, float grad_scale, float softcap) {
    const PreparedLinear::Impl& w = head.impl();
    const char* const op = "linear_cross_entropy_weight";
    check_labels(op, x, w, nll, rows, labels);
    if (w.has_bias) throw_error(ExitCode::internal, "{}: the head ({}, {}) has a bias, expected none", op, w.out, w.in);
    check_matrix(op, "d_weight", d_weight, DType::f32, w.out, w.in, "the shape of the head");
    kernels_of(stream.device()).linear_cross_entropy_weight(stream, d_weight, x, w, nll, rows, labels, grad_scale, softcap);
}

std::size_t linear_backward_scratch(Device device, DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total,
                                    int threads, LinearVariant variant) {
    return kernels_of(device).linear_backward_scratch(dtype, tokens, out, in, rank_total, threads, variant);
}

std::size_t linear_cross_entropy_weight_scratch(Device device, std::int64_t tokens, std::int64_t hidden_size, int threads) {
    return kernels_of(device).linear_cross_entropy_weight_scratch(tokens, hidden_size, threads);
}

std::size_t linear_cross_entropy_scratch(Device device, DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary,
                                         int threads) {
    return kernels_of(device).linear_cross_entropy_scratch(dtype, tokens, hidden_size, vocabulary, threads);
}

std::size_t quantized_head_scratch(Device device, DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int threads) {
    return kernels_of(device).quantized_head_scratch(dtype, hidden_size, vocabulary, threads);
}

}  // namespace ops
}  // namespace temper
