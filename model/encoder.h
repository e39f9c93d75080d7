// An encoder of the BERT family: every token sees the whole of its text, norms stand behind what they norm.        [Devlin et al. 2019]
// Who owns: Encoder holds the weights, which many streams may use at once; EncoderActivations holds what one pass writes.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "kernels/ops.h"
#include "model/encoder_config.h"
#include "model/encoder_weights.h"

namespace temper {

// N tokens laid end to end without padding, and the texts among them.
struct EncoderBatch {
    View ids, positions, types;  // (N) i32; types may be empty where a model has none
    std::vector<Segment> segments;
};

// What a linear was given, column by column.
struct InputColumns {
    std::vector<float> largest;   // |x|
    std::vector<double> squares;  // their sum
    std::int64_t rows = 0;
};

class EncoderActivations {
  public:
    EncoderActivations(Device device, const EncoderConfig& config, DType dtype, std::int64_t tokens);
    static std::size_t predict_bytes(const EncoderConfig& config, DType dtype, std::int64_t tokens);

    View x(std::int64_t n) const { return x_.rows(0, n); }                // (n, D)
    View middle(std::int64_t n) const { return middle_.rows(0, n); }      // (n, D)
    View sum(std::int64_t n) const { return sum_.rows(0, n); }            // (n, D)
    View qkv(std::int64_t n) const { return qkv_.rows(0, n); }            // (n, 3D)
    View attended(std::int64_t n) const { return attended_.rows(0, n); }  // (n, D)
    View up(std::int64_t n) const { return up_.rows(0, n); }              // (n, F)

    // From now on a pass adds what each linear is given, in the order of Encoder::linears. For float32 on the CPU.
    void observe(Span<InputColumns> inputs) { inputs_ = inputs; }
    Span<InputColumns> observed() const { return inputs_; }

  private:
    void cut(Arena& arena, const EncoderConfig& config, DType dtype, std::int64_t tokens);
    Arena arena_;
    View x_, middle_, sum_, qkv_, attended_, up_;
    Span<InputColumns> inputs_;
};

class Encoder {
  public:
    // int8_inputs: of each linear whose weights become 8-bit integers (Int8Linear); without multipliers, or none at all: weights of dtype.
    Encoder(Stream& stream, const TensorSource& source, const EncoderConfig& config, DType dtype, Span<const Int8Input> int8_inputs = {});
    // Linears of the layers: qkv, output, up and down of the first, of the second ...
    static std::size_t linears(const EncoderConfig& config) { return 4 * static_cast<std::size_t>(config.layers); }
    static std::int64_t inputs_of(const EncoderConfig& config, std::size_t linear) {
        return linear % 4 == 3 ? config.intermediate_size : config.hidden_size;
    }
    // The largest |w| that each column of each linear meets.
    static std::vector<std::vector<float>> largest_weights(const TensorSource& source, const EncoderConfig& config);

    const EncoderConfig& config() const { return config_; }
    DType dtype() const { return dtype_; }
    std::size_t bytes() const;

    // Hidden states behind the last norm, (N, D), inside `activations`.
    View forward(Stream& stream, const EncoderBatch& batch, EncoderActivations& activations) const;
    // Of a model with labels: the logits of each first token's state. first and pooled are places for what is between.
    void classify(Stream& stream, View logits /*(S, labels) f32*/, View pooled /*(S, D) f32*/, View first /*(S, D) f32*/) const;

  private:
    struct Norm {
        View weight, bias;  // (D) f32
    };
    struct Linear {  // one of the two
        std::size_t index = 0;
        PreparedLinear wide;
        std::optional<Int8Linear> int8;
    };
    struct Stored {  // a linear's weights: parts of one shape
        std::vector<std::string> parts;
        std::int64_t out, in;
    };
    struct Layer {
        Linear qkv, output, up, down;
        Norm output_norm, norm;
    };
    // A weight on its way: parts of one shape, stacked along out.
    struct Stacked {
        Arena memory;
        std::vector<View> parts;
        std::vector<float> bias;
        View bias_row() { return View(bias.data(), DType::f32, {static_cast<std::int64_t>(bias.size())}); }
    };
    struct Tables {
        View word, position, type;  // (V, D), (P, D), (T, D)
        View relative;              // (H, 2 relative_longest + 1) f32: the bias of every distance
        Norm norm;
        std::vector<Norm> norms;  // two a layer
    };
    static Tables cut_tables(Arena& arena, const EncoderConfig& config, DType dtype);
    static void read_tables(const EncoderWeights& weights, const Tables& tables);
    static Stacked read(const EncoderWeights& weights, Span<const std::string> names, std::int64_t out, std::int64_t in, DType dtype);
    static std::array<Stored, 4> stored(const EncoderLayerNames& names, const EncoderConfig& config);
    static PreparedLinear load(Stream& stream, Stacked weight);
    void load_layer(Stream& stream, const EncoderWeights& weights, const EncoderLayerNames& names, Span<const Int8Input> int8_inputs);
    static void observe(InputColumns& columns, View x);
    static void apply(Stream& stream, View y, View x, const Linear& linear, const EncoderActivations& a, const Epilogue& epilogue = Epilogue::none());
    void layer_forward(Stream& stream, const Layer& layer, const EncoderActivations& a, std::int64_t n, Span<const Segment> segments) const;
    float epsilon() const { return static_cast<float>(config_.layer_norm_eps); }

    EncoderConfig config_;
    DType dtype_;
    AttentionRule rule_;
    Arena arena_;  // tables and norms
    Tables tables_;
    std::vector<Layer> layers_;
    PreparedLinear head_, classifier_;  // of a model with labels, f32
};

}  // namespace temper
