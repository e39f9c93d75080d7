#include "model/decoder.h"

#include <cmath>

#include "kernels/staged.h"

namespace temper {

View Decoder::query(View qkv) const { return qkv.columns(0, config_.attention_size()).reshape({qkv.size(0), config_.heads, config_.head_size}); }
View Decoder::key(View qkv) const {
    const std::int64_t width = config_.key_value_heads * config_.head_size;
    return qkv.columns(config_.attention_size(), width).reshape({qkv.size(0), config_.key_value_heads, config_.head_size});
}
View Decoder::value(View qkv) const {
    const std::int64_t width = config_.key_value_heads * config_.head_size;
    return qkv.columns(config_.attention_size() + width, width).reshape({qkv.size(0), config_.key_value_heads, config_.head_size});
}

void Decoder::embed(View out, View ids) const {
    if (embedding_.empty()) ops::embedding(stream_, out, ids, head_);
    else ops::embedding(stream_, out, ids, embedding_);
    if (config_.embedding_scale != 1.0) ops::scale(stream_, out, embedding_factor());
}

// The factor has the precision of the model, as in transformers.
float Decoder::embedding_factor() const {
    const auto exact = static_cast<float>(config_.embedding_scale);
    return options_.dtype == DType::bf16 ? from_bf16(to_bf16(exact)) : exact;
}

void Decoder::project_qkv(const Layer& layer, const Activations::Layer& a, View normed, const TokenBatch& batch) const {
    const View positions = batch.positions;
    if (layer.query_norm.empty()) {
        ops::linear(stream_, a.qkv, normed, layer.qkv, a.s_qkv,
                    Epilogue::rope(layer.rope, positions, config_.heads + config_.key_value_heads, config_.head_size), batch.dropout, batch.adapted);
        return;
    }
    ops::linear(stream_, a.qkv, normed, layer.qkv, a.s_qkv, {}, batch.dropout, batch.adapted);
    if (!a.qk.empty()) ops::copy(stream_, a.qk, a.qkv.columns(0, a.qk.size(1)));
    const View before = a.qk.empty() ? a.qkv : a.qk;
    ops::rms_norm(stream_, query(a.qkv), query(before), layer.query_norm, epsilon());
    ops::rms_norm(stream_, key(a.qkv), key(before), layer.key_norm, epsilon());
    ops::rope(stream_, query(a.qkv), positions, layer.rope, false);
    ops::rope(stream_, key(a.qkv), positions, layer.rope, false);
}

void Decoder::attend(const Layer& layer, const Activations::Layer& a, View normed, const TokenBatch& batch) const {
    ops::rms_norm(stream_, normed, a.residual_in, layer.attention_norm, epsilon());
    project_qkv(layer, a, normed, batch);
    const View attended = a.attended.reshape({a.attended.size(0), config_.heads, config_.head_size});
    ops::attention(stream_, attended, a.lse, query(a.qkv), key(a.qkv), value(a.qkv), batch.segments, layer.rule);
}

void Decoder::output_forward(const Layer& layer, const Activations::Layer& a, const Dropout& dropout, std::int64_t adapted) const {
    if (layer.attention_out_norm.empty()) {
        ops::linear(stream_, a.residual_mid, a.attended, layer.output, a.s_output, Epilogue::add_residual(a.residual_in), dropout, adapted);
        return;
    }
    ops::linear(stream_, a.attention_out, a.attended, layer.output, a.s_output, {}, dropout, adapted);
    ops::rms_norm(stream_, a.residual_mid, a.attention_out, layer.attention_out_norm, epsilon(), a.residual_in);
}

void Decoder::mlp_forward(const Layer& layer, const Activations::Layer& a, View normed, View activated, View out, const Dropout& dropout,
                          std::int64_t adapted) const {
    ops::rms_norm(stream_, normed, a.residual_mid, layer.mlp_norm, epsilon());
    const bool silu = config_.activation == Activation::silu;
    ops::linear(stream_, a.gate_up, normed, layer.gate_up, a.s_gate_up, silu ? Epilogue::swiglu(activated) : Epilogue::geglu(activated), dropout,
                adapted);
    if (layer.mlp_out_norm.empty()) {
        ops::linear(stream_, out, activated, layer.down, a.s_down, Epilogue::add_residual(a.residual_mid), dropout, adapted);
        return;
    }
    ops::linear(stream_, a.mlp_out, activated, layer.down, a.s_down, {}, dropout, adapted);
    ops::rms_norm(stream_, out, a.mlp_out, layer.mlp_out_norm, epsilon(), a.residual_mid);
}

View Decoder::forward(const TokenBatch& batch, Activations& activations) const {
    const std::int64_t n = batch.tokens(), m = batch.outputs();
    embed(activations.layer(0, n, 0).residual_in, batch.ids);
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        const Layer& layer = layers_[static_cast<std::size_t>(i)];
        Activations::Layer a = activations.layer(i, n, batch.adapted_tokens());
        attend(layer, a, activations.normed(n), batch);
        const bool last = i + 1 == config_.layers;
        if (last && batch.thinned()) {
            const Activations::Layer all = a;
            a = activations.thinned(n, m, batch.adapted_outputs());
            ops::embedding(stream_, a.attended, batch.needed, all.attended);
            ops::embedding(stream_, a.residual_in, batch.needed, all.residual_in);
        }
        const std::int64_t rows = last ? m : n;
        const Dropout& dropout = last && batch.thinned() ? batch.needed_dropout : batch.dropout;
        const std::int64_t adapted = last ? batch.adapted_outputs() : batch.adapted_tokens();
        output_forward(layer, a, dropout, adapted);
        mlp_forward(layer, a, activations.normed(rows), activations.activated(rows),
                    last ? activations.output(m) : activations.layer(i + 1, n, 0).residual_in, dropout, adapted);
    }
    const View hidden = activations.hidden(m);
    ops::rms_norm(stream_, hidden, activations.output(m), final_norm_, epsilon());
    return hidden;
}

// d_residual enters as the gradient of the layer's output and leaves as that of residual_mid.
void Decoder::mlp_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, Span<const Leaf> leaves,
                           const Dropout& dropout) const {
    const std::int64_t n = a.residual_mid.size(0);
    const View d_residual = all.d_residual(n), normed = all.normed(n), activated = all.activated(n), d_normed = all.d_normed(n);
    const bool silu = config_.activation == Activation::silu;
    if (silu) ops::swiglu(stream_, activated, a.gate_up);
    else ops::geglu(stream_, activated, a.gate_up);
    View d_out = d_residual;
    if (!layer.mlp_out_norm.empty()) {
        d_out = d_normed;  // not wanted before the next linear
        ops::rms_norm_backward(stream_, d_out, d_residual, a.mlp_out, layer.mlp_out_norm, epsilon(), View());
    }
    ops::linear_backward(stream_, all.d_activated(n), d_adapter, d_out, layer.down, activated, a.s_down, leaves, dropout);
    // gate_up now holds its gradient.
    if (silu) ops::swiglu_backward(stream_, a.gate_up, all.d_activated(n), a.gate_up);
    else ops::geglu_backward(stream_, a.gate_up, all.d_activated(n), a.gate_up);
    ops::rms_norm(stream_, normed, a.residual_mid, layer.mlp_norm, epsilon());
    ops::linear_backward(stream_, d_normed, d_adapter, a.gate_up, layer.gate_up, normed, a.s_gate_up, leaves, dropout);
    ops::rms_norm_backward(stream_, d_residual, d_normed, a.residual_mid, layer.mlp_norm, epsilon(), d_residual);
}

void Decoder::output_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, Span<const Leaf> leaves,
                              const Dropout& dropout) const {
    const std::int64_t n = a.residual_mid.size(0);
    View d_out = all.d_residual(n);
    if (!layer.attention_out_norm.empty()) {
        d_out = all.d_normed(n);
        ops::rms_norm_backward(stream_, d_out, all.d_residual(n), a.attention_out, layer.attention_out_norm, epsilon(), View());
    }
    ops::linear_backward(stream_, all.d_attended(n), d_adapter, d_out, layer.output, a.attended, a.s_output, leaves, dropout);
}

// d_residual enters as the gradient of residual_mid and leaves as that of residual_in; nothing below the lowest adapted layer needs it.
void Decoder::attend_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, const TokenBatch& batch,
                              bool lowest) const {
    const std::int64_t n = batch.tokens();
    const View d_residual = all.d_residual(n), normed = all.normed(n), d_normed = all.d_normed(n), d_qkv = all.d_qkv(n);
    const auto heads = [&](View x) { return x.reshape({n, config_.heads, config_.head_size}); };
    ops::attention_backward(stream_, query(d_qkv), key(d_qkv), value(d_qkv), heads(all.d_attended(n)), heads(a.attended), a.lse, query(a.qkv),
                            key(a.qkv), value(a.qkv), batch.segments, layer.rule);
    ops::rope(stream_, query(d_qkv), batch.positions, layer.rope, true);
    ops::rope(stream_, key(d_qkv), batch.positions, layer.rope, true);
    if (!layer.query_norm.empty()) {
        ops::rms_norm_backward(stream_, query(d_qkv), query(d_qkv), query(a.qk), layer.query_norm, epsilon(), View());
        ops::rms_norm_backward(stream_, key(d_qkv), key(d_qkv), key(a.qk), layer.key_norm, epsilon(), View());
    }
    ops::rms_norm(stream_, normed, a.residual_in, layer.attention_norm, epsilon());
    ops::linear_backward(stream_, lowest ? View() : d_normed, d_adapter, d_qkv, layer.qkv, normed, a.s_qkv, batch.leaves, batch.dropout);
    if (!lowest) ops::rms_norm_backward(stream_, d_residual, d_normed, a.residual_in, layer.attention_norm, epsilon(), d_residual);
}

void Decoder::layer_backward(std::int64_t index, const TokenBatch& batch, const Activations& all, View d_adapter) const {
    const std::int64_t n = batch.tokens();
    const Layer& layer = layers_[static_cast<std::size_t>(index)];
    const Activations::Layer a = all.layer(index, n);
    const bool lowest = index == lowest_adapted_ && lora_.saved_embedding() == nullptr, last = index + 1 == config_.layers;
    // The shared buffers still hold the last layer. The output is not wanted again, only s of the last linear.
    if (all.keep() == Activations::Keep::inputs && !last) {
        attend(layer, a, all.normed(n), batch);
        output_forward(layer, a, batch.dropout);
        mlp_forward(layer, a, all.normed(n), all.activated(n), all.d_normed(n), batch.dropout);
    }
    const bool thinned = last && batch.thinned();
    const Activations::Layer upper = thinned ? all.thinned(n, batch.outputs()) : a;
    const Span<const Leaf> leaves = thinned ? Span<const Leaf>(batch.needed_leaves) : Span<const Leaf>(batch.leaves);
    const Dropout& dropout = thinned ? batch.needed_dropout : batch.dropout;
    mlp_backward(layer, upper, all, d_adapter, leaves, dropout);
    if (lowest && layer.qkv.rank_total() == 0 && layer.output.rank_total() == 0) return;
    output_backward(layer, upper, all, d_adapter, leaves, dropout);
    if (thinned) {
        ops::spread_rows(stream_, all.d_attended(n), batch.needed);
        ops::spread_rows(stream_, all.d_residual(n), batch.needed);
    }
    attend_backward(layer, a, all, d_adapter, batch, lowest);
}

void Decoder::backward(const TokenBatch& batch, Activations& activations, View d_hidden, View d_adapter) const {
    const std::int64_t m = batch.outputs();
    ops::rms_norm_backward(stream_, activations.d_residual(m), d_hidden, activations.output(m), final_norm_, epsilon(), View());
    for (std::int64_t i = config_.layers - 1; i >= lowest_adapted_; --i) layer_backward(i, batch, activations, d_adapter);
    const SavedModule* const whole = lora_.saved_embedding();
    if (whole == nullptr) return;
    if (batch.leaves.size() != 1)
        throw_error(ExitCode::internal, "Decoder::backward: {} leaves and an embedding that is trained whole, expected one", batch.leaves.size());
    const View d_table = d_adapter.flat(whole->offset, {whole->rows, whole->columns});
    ops::embedding_backward(stream_, d_table, batch.ids, activations.d_residual(batch.tokens()), embedding_factor(), whole->head);
}

View Decoder::forward_cached(const TokenBatch& batch, Activations& activations, KvCache& cache) const {
    const std::int64_t n = batch.ids.size(0), width = config_.key_value_heads * config_.head_size;
    const View normed = activations.normed(n), activated = activations.activated(n), hidden = activations.hidden(n);
    Activations::Layer a = activations.layer(0, n);
    embed(a.residual_in, batch.ids);
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        const Layer& layer = layers_[static_cast<std::size_t>(i)];
        ops::rms_norm(stream_, normed, a.residual_in, layer.attention_norm, epsilon());
        project_qkv(layer, a, normed, batch);
        const View keys = cache.keys(i), values = cache.values(i);
        ops::put_rows(stream_, keys, a.qkv.columns(config_.attention_size(), width), batch.cache_rows);
        ops::put_rows(stream_, values, a.qkv.columns(config_.attention_size() + width, width), batch.cache_rows);
        const auto cached = [&](View x) { return x.reshape({x.size(0), config_.key_value_heads, config_.head_size}); };
        ops::attention(stream_, a.attended.reshape({n, config_.heads, config_.head_size}), View(), query(a.qkv), cached(keys), cached(values),
                       batch.segments, layer.rule);
        output_forward(layer, a, {});
        mlp_forward(layer, a, normed, activated, a.residual_in, {});
    }
    ops::rms_norm(stream_, hidden, a.residual_in, final_norm_, epsilon());
    return hidden;
}

void Decoder::logits(View out, View hidden, View rows, View gathered) const {
    ops::embedding(stream_, gathered, rows, hidden);
    ops::linear(stream_, out, gathered, head_, View());
    if (config_.logit_softcap > 0.0) ops::softcap(stream_, out, static_cast<float>(config_.logit_softcap));
}

void Decoder::refresh_adapter(View parameters) {
    if (parameters.device != stream_.device()) {
        FlatArray there(stream_, parameters.size(0));
        there.set(stream_, Span<const float>(parameters.as<float>(), static_cast<std::size_t>(parameters.size(0))));
        refresh_adapter(there.view());
        return stream_.synchronize();  // before its memory goes
    }
    for (Layer& layer : layers_)
        for (PreparedLinear* linear : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down})
            if (linear->rank_total() > 0) linear->refresh_adapter(stream_, parameters);
    for (const SavedModule& whole : lora_.saved) {
        const View values = parameters.flat(whole.offset, {whole.rows, whole.columns});
        if (whole.head) head_.replace(stream_, values);
        else ops::copy(stream_, embedding_, values);
    }
}

}  // namespace temper
