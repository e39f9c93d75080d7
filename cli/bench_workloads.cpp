#include "cli/bench_workloads.h"

#include <unistd.h>

#include "io/jsonl.h"
#include "io/tensors/tensor_source.h"
#include "kernels/ops.h"
#include "train/sft_objective.h"
#include "train/trainer.h"

namespace temper {

void fill(const View& view, float scale) {
    std::uint32_t state = 12345;
    for (std::int64_t r = 0; r < view.size(0); ++r)
        for (std::int64_t c = 0; c < view.elements() / view.size(0); ++c) {
            state = state * 1664525u + 1013904223u;
            const float value = (static_cast<float>(state >> 8) / 8388608.0f - 1.0f) * scale;
            const std::int64_t at = r * view.stride[0] + c;
            if (view.dtype == DType::bf16) static_cast<bf16*>(view.data)[at] = to_bf16(value);
            else static_cast<float*>(view.data)[at] = value;
        }
}

namespace {

// SmolLM2-135M's shapes.
constexpr std::int64_t kWidth = 576, kForward = 1536, kHeads = 9, kKvHeads = 3, kHead = 64, kVocabulary = 49152, kRank = 16;

double sum(const View& view) {
    double total = 0.0;
    for (std::int64_t r = 0; r < view.size(0); ++r)
        for (std::int64_t c = 0; c < view.size(1); ++c)
            total += static_cast<double>(view.dtype == DType::bf16 ? from_bf16(view.row<bf16>(r)[c]) : view.row<float>(r)[c]);
    return total;
}

struct Buffers {
    Stream& stream;
    Arena arena{std::size_t{192} << 20};
    std::vector<PreparedLinear> linears;

    explicit Buffers(Stream& where) : stream(where) {}
    View take(std::int64_t rows, std::int64_t columns, float scale, DType dtype = DType::bf16) {
        const View view = arena.take(dtype, {rows, columns});
        fill(view, scale);
        return view;
    }
    PreparedLinear& linear(std::int64_t out, std::int64_t in, std::vector<AdapterSlot> slots) {
        std::vector<char> memory(static_cast<std::size_t>(out * in) * sizeof(bf16));
        const View weight(memory.data(), DType::bf16, {out, in});
        fill(weight, 0.05f);
        linears.emplace_back(stream, Span<const View>(&weight, 1), View(), std::move(slots), PreparedLinear::Options{});
        return linears.back();
    }
};

// Gate and up with their adapters, forward and backward, over 512 tokens.
std::function<double()> linear_work(Stream& stream) {
    constexpr std::int64_t n = 512, out = 2 * kForward, slot = kRank * (kWidth + kForward);
    const auto b = std::make_shared<Buffers>(stream);
    PreparedLinear& weight =
        b->linear(out, kWidth, {{0, kForward, kRank, 2.0f, 0, kRank * kWidth}, {kForward, kForward, kRank, 2.0f, slot, slot + kRank * kWidth}});
    const View x = b->take(n, kWidth, 1.0f), y = b->take(n, out, 0.0f), d_y = b->take(n, out, 1.0f), d_x = b->take(n, kWidth, 0.0f);
    const View s = b->take(n, 2 * kRank, 0.0f), activated = b->take(n, kForward, 0.0f), gradients = b->take(1, 2 * slot, 0.02f, DType::f32);
    weight.refresh_adapter(stream, View(gradients.data, DType::f32, {2 * slot}));
    return [=, &stream, &weight] {
        const Leaf leaf{0, n};
        for (int i = 0; i < 2; ++i) {
            ops::linear(stream, y, x, weight, s, Epilogue::swiglu(activated));
            ops::linear_backward(stream, d_x, gradients, d_y, weight, x, s, Span<const Leaf>(&leaf, 1));
        }
        return sum(d_x.rows(0, 8)) + sum(activated.rows(0, 8)) + static_cast<double>(b->linears.size());
    };
}

// Four documents of 512 tokens, forward and backward.
std::function<double()> attention_work(Stream& stream) {
    constexpr std::int64_t n = 2048, row = 512, width = (kHeads + 2 * kKvHeads) * kHead;
    const auto b = std::make_shared<Buffers>(stream);
    const View qkv = b->take(n, width, 1.0f), d_qkv = b->take(n, width, 0.0f);
    const View out = b->take(n, kHeads * kHead, 0.0f), d_out = b->take(n, kHeads * kHead, 1.0f), lse = b->take(n, kHeads, 0.0f, DType::f32);
    const auto part = [](const View& x, std::int64_t first, std::int64_t heads) {
        return x.columns(first * kHead, heads * kHead).reshape({n, heads, kHead});
    };
    std::vector<Segment> segments;
    for (std::int64_t begin = 0; begin < n; begin += row) segments.push_back({begin, row, begin, 0, 0, 0});
    return [=, &stream] {
        const View q = part(qkv, 0, kHeads), k = part(qkv, kHeads, kKvHeads), v = part(qkv, kHeads + kKvHeads, kKvHeads);
        const View heads = part(out, 0, kHeads), d_heads = part(d_out, 0, kHeads);
        ops::attention(stream, heads, lse, q, k, v, segments, {0.125f});
        ops::attention_backward(stream, part(d_qkv, 0, kHeads), part(d_qkv, kHeads, kKvHeads), part(d_qkv, kHeads + kKvHeads, kKvHeads), d_heads,
                                heads, lse, q, k, v, segments, {0.125f});
        return sum(d_qkv.rows(0, 8)) + static_cast<double>(b->arena.used());
    };
}

// 48 labelled tokens over the whole vocabulary, gradient included.
std::function<double()> loss_work(Stream& stream) {
    constexpr std::int64_t n = 48;
    const auto b = std::make_shared<Buffers>(stream);
    const PreparedLinear& head = b->linear(kVocabulary, kWidth, {});
    const View x = b->take(n, kWidth, 1.0f), d_x = b->take(n, kWidth, 0.0f);
    std::vector<std::int32_t> rows, labels;
    for (std::int32_t i = 0; i < n; ++i) {
        rows.push_back(i);
        labels.push_back(i * 977 % static_cast<std::int32_t>(kVocabulary));
    }
    const View nll = View(b->take(1, n, 0.0f, DType::f32).data, DType::f32, {n}), correct(b->take(1, n, 0.0f, DType::f32).data, DType::i32, {n});
    return [=, &stream, &head] {
        ops::linear_cross_entropy(stream, nll, correct, d_x, x, head, rows, labels, 1.0f);
        return sum(d_x) + static_cast<double>(b->linears.size());
    };
}

// Norm, activation and rotation over 2,048 tokens.
std::function<double()> rows_work(Stream& stream) {
    constexpr std::int64_t n = 2048;
    const auto b = std::make_shared<Buffers>(stream);
    const View x = b->take(n, kWidth, 1.0f), y = b->take(n, kWidth, 0.0f), d_x = b->take(n, kWidth, 0.0f);
    const View gate_up = b->take(n, 2 * kForward, 1.0f), d_gate_up = b->take(n, 2 * kForward, 0.0f), activated = b->take(n, kForward, 1.0f);
    const View weight(b->take(1, kWidth, 1.0f, DType::f32).data, DType::f32, {kWidth});
    return [=, &stream] {
        for (int i = 0; i < 6; ++i) {
            ops::rms_norm(stream, y, x, weight, 1e-5f);
            ops::rms_norm_backward(stream, d_x, y, x, weight, 1e-5f, View());
            ops::swiglu(stream, activated, gate_up);
            ops::swiglu_backward(stream, d_gate_up, activated, gate_up);
        }
        return sum(d_x.rows(0, 8)) + sum(d_gate_up.rows(0, 8)) + static_cast<double>(b->arena.used());
    };
}

// A model directory of two layers and 4,096 tokens with random weights; gone with the object.
class RandomModel {
  public:
    RandomModel() {
        std::string name = (std::filesystem::temp_directory_path() / "temper-bench.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw_error(ExitCode::io_error, "{}: cannot make a directory", name);
        path_ = name;
        const Json config{{"architectures", {"LlamaForCausalLM"}},
                          {"model_type", "llama"},
                          {"hidden_size", kWidth},
                          {"intermediate_size", kForward},
                          {"num_hidden_layers", 2},
                          {"num_attention_heads", kHeads},
                          {"num_key_value_heads", kKvHeads},
                          {"head_dim", kHead},
                          {"vocab_size", 4096},
                          {"max_position_embeddings", 512},
                          {"rms_norm_eps", 1e-5},
                          {"rope_theta", 10000.0},
                          {"hidden_act", "silu"},
                          {"tie_word_embeddings", true}};
        write_durable(path_ / "config.json", config.dump());
        write_weights();
    }
    ~RandomModel() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    RandomModel(const RandomModel&) = delete;
    RandomModel& operator=(const RandomModel&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    void write_weights() const {
        std::vector<std::vector<char>> memory;
        std::vector<NamedTensor> tensors;
        const auto add = [&](const std::string& name, std::int64_t rows, std::int64_t columns, float scale) {
            memory.emplace_back(static_cast<std::size_t>(rows * columns) * sizeof(bf16));
            const View whole(memory.back().data(), DType::bf16, {rows, columns});
            fill(whole, scale);
            tensors.push_back({name, rows == 1 ? View(whole.data, DType::bf16, {columns}) : whole});
        };
        add("model.embed_tokens.weight", 4096, kWidth, 0.5f);
        add("model.norm.weight", 1, kWidth, 1.0f);
        for (int i = 0; i < 2; ++i) {
            const std::string layer = fmt::format("model.layers.{}.", i);
            add(layer + "input_layernorm.weight", 1, kWidth, 1.0f);
            add(layer + "post_attention_layernorm.weight", 1, kWidth, 1.0f);
            add(layer + "self_attn.q_proj.weight", kHeads * kHead, kWidth, 0.05f);
            add(layer + "self_attn.k_proj.weight", kKvHeads * kHead, kWidth, 0.05f);
            add(layer + "self_attn.v_proj.weight", kKvHeads * kHead, kWidth, 0.05f);
            add(layer + "self_attn.o_proj.weight", kWidth, kHeads * kHead, 0.05f);
            add(layer + "mlp.gate_proj.weight", kForward, kWidth, 0.05f);
            add(layer + "mlp.up_proj.weight", kForward, kWidth, 0.05f);
            add(layer + "mlp.down_proj.weight", kWidth, kForward, 0.05f);
        }
        write_safetensors(path_ / "model.safetensors", tensors);
    }
    std::filesystem::path path_;
};

// An optimizer step over 512 tokens in five rows; every unit starts from the same adapter.
class StepWork {
  public:
    explicit StepWork(Stream& stream) : comm_(single_comm()), data_(TokenDataset::from_rows(rows())) {
        const RandomModel model;
        const ModelFiles files(model.path());
        const LoraLayout lora = make_lora_layout(files.config(), LoraSettings{});
        decoder_.emplace(stream, files, lora, Decoder::Options{DType::bf16, true, 512});
        TrainingConfig& config = config_;
        config.global_batch_size = data_.rows();
        const StepBounds bounds = bound_steps(sizes_of(data_), config, lora);
        objective_.emplace(*decoder_, data_, config_, bounds.size(Activations::Keep::all));
        trainer_.emplace(*decoder_, *comm_, *objective_, config, 1e-4, false);
        state_.parameters.resize(static_cast<std::size_t>(lora.parameters));
        init_lora(lora, 1, state_.parameters.data());
        state_.first_moment.resize(state_.parameters.size());
        state_.second_moment.resize(state_.parameters.size());
    }
    double run() {
        trainer_->set_state(state_);
        return trainer_->step(0).loss;
    }

  private:
    static std::vector<TokenRow> rows() {
        std::vector<TokenRow> result;
        for (const std::int32_t length : {200, 37, 111, 90, 74}) {
            TokenRow row;
            for (std::int32_t i = 0; i < length; ++i) {
                row.ids.push_back((i * 131 + length) % 4096);
                row.supervised.push_back(i >= length / 2 ? 1 : 0);
            }
            result.push_back(row);
        }
        return result;
    }
    std::unique_ptr<Comm> comm_;
    TokenDataset data_;
    std::optional<Decoder> decoder_;
    TrainingConfig config_;
    std::optional<SftObjective> objective_;
    std::optional<Trainer> trainer_;
    TrainState state_;
};

std::function<double()> step_work(Stream& stream) {
    const auto work = std::make_shared<StepWork>(stream);
    return [work] { return work->run(); };
}

struct Entry {
    const char *name, *what;
    std::function<double()> (*make)(Stream&);
};
constexpr Entry entries[] = {
    {"linear", "gate and up with adapters, forward and backward, 512 tokens", linear_work},
    {"attention", "forward and backward, 4 x 512 tokens", attention_work},
    {"loss", "final linear and cross-entropy with its gradient, 48 tokens over 49,152 words", loss_work},
    {"rows", "norm and activation, forward and backward, 2,048 tokens", rows_work},
    {"step", "an optimizer step of a model of two layers, 512 tokens", step_work},
};

}  // namespace

std::vector<std::string> workload_names() {
    std::vector<std::string> names;
    for (const Entry& entry : entries) names.emplace_back(entry.name);
    return names;
}

Workload make_workload(const std::string& name, Stream& stream) {
    for (const Entry& entry : entries)
        if (name == entry.name) return {name, entry.what, entry.make(stream)};
    throw_error(ExitCode::usage, "bench: there is no workload '{}': expected one of {}", name, fmt::join(workload_names(), ", "));
}

}  // namespace temper
