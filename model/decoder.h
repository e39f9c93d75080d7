// A decoder of the Llama, Qwen, Mistral, Phi and Gemma families with LoRA on its linear layers: forward, backward, and forward over a KV cache.
// Who owns: Decoder holds frozen weights in kernel layout; Activations holds everything a pass writes; the caller owns adapter
// parameters and gradients (flat vectors laid out by LoraLayout).
#pragma once
#include <vector>

#include "kernels/ops.h"
#include "model/config.h"
#include "model/lora.h"
#include "model/model_files.h"

namespace temper {

// N tokens laid end to end without padding.
struct TokenBatch {
    View ids;        // (N) i32
    View positions;  // (N) i32, from 0 in every document
    std::vector<Segment> segments;
    std::vector<Leaf> leaves;  // backward only
    // Rows whose hidden states are wanted, ascending; empty: all. Behind the last attention only they are computed. needed_leaves cuts
    // them as leaves cuts the tokens. On a CUDA device rows behind the last token fill up a batch: nobody wants them.
    View needed;      // (M) i32
    View cache_rows;  // (N) i32, with a cache: where keys and values go, as the segments say; behind its last row: nowhere
    std::vector<Leaf> needed_leaves;
    // Of the adapters' inputs in training: of all rows, and of the rows needed.
    Dropout dropout, needed_dropout;
    // Tokens behind the first so many, and needed rows behind the first so many, see the frozen model alone (-1: none): a policy and its
    // reference in one pass. Forward only.
    std::int64_t adapted = -1, needed_adapted = -1;

    std::int64_t tokens() const { return ids.size(0); }
    std::int64_t outputs() const { return needed.empty() ? tokens() : needed.size(0); }
    std::int64_t adapted_tokens() const { return adapted < 0 ? tokens() : adapted; }
    std::int64_t adapted_outputs() const { return needed.empty() ? adapted_tokens() : needed_adapted < 0 ? outputs() : needed_adapted; }
    bool thinned() const { return !needed.empty(); }
};

// Buffers of one pass over at most `tokens` tokens, and forward over `frozen` more that see the frozen model alone. Those keep nothing: their rows
// of a layer lie where the next layer's begin, which are written when they are done with. `outputs`: the most rows of both together that go on
// behind the last attention (-1: all).
class Activations {
  public:
    // What a pass leaves for the backward pass. nothing: inference, one set of buffers for all layers. all: what every layer's backward
    // reads, but norm and SwiGLU outputs, which are recomputed. inputs: the input of every layer and one set of the rest; a layer's
    // forward is run again before its backward, which costs half a forward and backward more and changes no bit.
    enum class Keep : std::uint8_t { nothing, inputs, all };
    struct Layer {
        View residual_in;                         // (T, D)
        View qkv;                                 // (T, (H + 2K) d), q and k rotated
        View attended;                            // (T, H d)
        View lse;                                 // (T, H) f32
        View residual_mid;                        // (T, D)
        View gate_up;                             // (T, 2F)
        View qk;                                  // (T, (H + K) d): q and k before their norms, where they have any
        View attention_out, mlp_out;              // (T, D): before the norms behind them, where there are any
        View s_qkv, s_output, s_gate_up, s_down;  // (T, sum of ranks): scaled x A^T of the adapted linears
    };
    Activations(Device device, const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep,
                std::int64_t frozen = 0, std::int64_t outputs = -1);
    static std::size_t predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep,
                                     std::int64_t frozen = 0, std::int64_t outputs = -1);

    std::int64_t tokens() const { return tokens_; }
    Keep keep() const { return keep_; }
    // The same buffers seen with n rows, the first `adapted` of them with adapters (-1: all). What lies behind the attention of the last layer has
    // no more rows than it was made for.
    Layer layer(std::int64_t index, std::int64_t n, std::int64_t adapted = -1) const;
    // The last layer where only m of n rows go on behind its attention, the first `adapted` of these with adapters (-1: all).
    Layer thinned(std::int64_t n, std::int64_t m, std::int64_t adapted = -1) const;
    View output(std::int64_t n) const { return output_.rows(0, n); }          // (n, D) residual stream after the last layer
    View hidden(std::int64_t n) const { return hidden_.rows(0, n); }          // (n, D) after the final norm
    View normed(std::int64_t n) const { return normed_.rows(0, n); }          // (n, D)
    View activated(std::int64_t n) const { return activated_.rows(0, n); }    // (n, F)
    View d_residual(std::int64_t n) const { return d_residual_.rows(0, n); }  // (n, D), and so on: gradients
    View d_normed(std::int64_t n) const { return d_normed_.rows(0, n); }
    View d_attended(std::int64_t n) const { return d_attended_.rows(0, n); }
    View d_qkv(std::int64_t n) const { return d_qkv_.rows(0, n); }
    View d_activated(std::int64_t n) const { return d_activated_.rows(0, n); }

  private:
    void cut(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype);
    void cut_adapters(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype);
    std::int64_t tokens_, frozen_, outputs_;
    Keep keep_;
    Arena arena_;
    std::vector<Layer> layers_;
    View thinned_attended_;  // (M, H d)
    View output_, hidden_, normed_, activated_, d_residual_, d_normed_, d_attended_, d_qkv_, d_activated_;
};

// Keys and values of earlier tokens: slots of `capacity` rows each.
class KvCache {
  public:
    KvCache(Device device, const ModelConfig& config, DType dtype, std::int64_t slots, std::int64_t capacity);
    View keys(std::int64_t layer) const { return keys_[static_cast<std::size_t>(layer)]; }      // (slots * capacity, K d)
    View values(std::int64_t layer) const { return values_[static_cast<std::size_t>(layer)]; }  // (slots * capacity, K d)
    std::int64_t capacity() const { return capacity_; }

  private:
    std::int64_t capacity_;
    Arena arena_;
    std::vector<View> keys_, values_;
};

class Decoder {
  public:
    struct Options {
        DType dtype = DType::bf16;
        bool training = false;           // keep what backward needs
        std::int64_t max_positions = 0;  // length of the RoPE table
        // Adapters that start from the weights (lora_start.h): their start (P), which is taken from the weights as they are read.
        const float* start = nullptr;
        bool library_attention = false;  // AttentionRule::library
    };
    Decoder(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Options options);

    const ModelConfig& config() const { return config_; }
    const LoraLayout& lora() const { return lora_; }
    const PreparedLinear& head() const { return head_; }
    DType dtype() const { return options_.dtype; }
    Stream& stream() const { return stream_; }
    std::size_t bytes() const;
    // weights: says which of them stay quantised; null: none.
    static std::size_t predict_bytes(Device device, const ModelConfig& config, const LoraLayout& lora, Options options,
                                     const TensorSource* weights = nullptr);
    // Of the op that takes most in a training pass over `tokens` tokens with so many labels, the longest document being `longest`.
    static std::size_t predict_scratch(Device device, const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens,
                                       std::int64_t labels, std::int64_t longest, int threads, const TensorSource* weights = nullptr);

    // Asks the stream's device for every matrix product that passes of such a decoder take (kernels/cuda/algorithms.h), on memory of its own, one
    // linear after the other.
    static void rehearse(Stream& stream, const ModelConfig& config, const LoraLayout& lora, Options options, const TensorSource* weights = nullptr);

    void refresh_adapter(View parameters /*(P) f32, on the host or the device*/);

    // Returns the hidden states after the final norm of the rows needed, (M, D), inside `activations`.
    View forward(const TokenBatch& batch, Activations& activations) const;
    // d_hidden: gradient of forward's result, overwritten. d_adapter (leaves, P) f32: overwritten, one row a leaf; where the embedding or the
    // head is trained whole there is one leaf, and the head's gradient is there already.
    void backward(const TokenBatch& batch, Activations& activations, View d_hidden, View d_adapter) const;
    // As forward, but keys and values go to and come from the cache at the rows that the segments and cache_rows name.
    View forward_cached(const TokenBatch& batch, Activations& activations, KvCache& cache) const;
    // Logits of chosen rows of hidden, (rows, V) f32.
    void logits(View out, View hidden, View rows /*(R) i32*/, View gathered /*(R, D)*/) const;

  private:
    struct Layer {
        View attention_norm, mlp_norm;          // (D) f32
        View attention_out_norm, mlp_out_norm;  // (D) f32, or empty
        View query_norm, key_norm;              // (d) f32, or empty
        AttentionRule rule;
        RopeTable rope;
        PreparedLinear qkv, output, gate_up, down;
    };
    void project_qkv(const Layer& layer, const Activations::Layer& a, View normed, const TokenBatch& batch) const;
    void attend(const Layer& layer, const Activations::Layer& a, View normed, const TokenBatch& batch) const;
    // `adapted` as in ops::linear.
    void output_forward(const Layer& layer, const Activations::Layer& a, const Dropout& dropout, std::int64_t adapted = -1) const;
    void mlp_forward(const Layer& layer, const Activations::Layer& a, View normed, View activated, View out, const Dropout& dropout,
                     std::int64_t adapted = -1) const;
    void mlp_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, Span<const Leaf> leaves,
                      const Dropout& dropout) const;
    void output_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, Span<const Leaf> leaves,
                         const Dropout& dropout) const;
    void attend_backward(const Layer& layer, const Activations::Layer& a, const Activations& all, View d_adapter, const TokenBatch& batch,
                         bool lowest) const;
    void layer_backward(std::int64_t index, const TokenBatch& batch, const Activations& all, View d_adapter) const;
    void load_linears(const TensorSource& source);
    void embed(View out, View ids) const;
    float embedding_factor() const;
    // Heads of q and k in (N, (H + K) d) or more columns, of v in (N, (H + 2K) d).
    View query(View qkv) const;
    View key(View qkv) const;
    View value(View qkv) const;
    float epsilon() const { return static_cast<float>(config_.rms_norm_eps); }

    Stream& stream_;
    ModelConfig config_;
    LoraLayout lora_;
    Options options_;
    Arena arena_;     // embedding unless it is the head, norms, RoPE table
    View embedding_;  // (V, D), empty when tied to the head
    View final_norm_;
    std::vector<Layer> layers_;
    PreparedLinear head_;
    std::int64_t lowest_adapted_ = 0;
};

}  // namespace temper
