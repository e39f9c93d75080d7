// Reads a decoder's weights into kernel layout, a few linears at a time, so that no second copy of the model is ever held.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "model/decoder.h"
#include "model/rope.h"

namespace temper {
namespace {

struct StackedNames {
    std::vector<const char*> names;
    bool bias = false;
};

// The parts of one stacked linear as the file holds them, in memory that the next one of the thread uses again.
class Staging {
  public:
    void read(const TensorSource& source, const ModelConfig& config, DType dtype, std::int64_t layer, const StackedNames& stacked) {
        parts_.clear();
        bias_.clear();
        std::vector<std::pair<std::string, LinearShape>> found;
        std::int64_t elements = 0;
        for (const char* name : stacked.names)
            for (const LinearShape& shape : block_linears(config)) {
                if (shape.name != name) continue;
                found.emplace_back(fmt::format("model.layers.{}.{}.{}", layer, shape.block, shape.name), shape);
                elements += shape.out * shape.in;
            }
        char* at = reserve(elements, dtype);
        for (const auto& [path, shape] : found) {
            parts_.emplace_back(at, dtype, std::initializer_list<std::int64_t>{shape.out, shape.in});
            at += shape.out * shape.in * size_of(dtype);
            source.read(path + ".weight", parts_.back());
            if (!stacked.bias) continue;
            const std::size_t begin = bias_.size();
            bias_.resize(begin + static_cast<std::size_t>(shape.out));
            source.read(path + ".bias", View(bias_.data() + begin, DType::f32, {shape.out}));
        }
    }
    void read_head(const TensorSource& source, const ModelConfig& config, DType dtype) {
        bias_.clear();
        char* const at = reserve(config.head_parameters(), dtype);
        parts_ = {View(at, dtype, {config.vocab_size, config.hidden_size})};
        source.read(config.tied_head ? "model.embed_tokens.weight" : "lm_head.weight", parts_.front());
    }
    Span<const View> parts() const { return {parts_.data(), parts_.size()}; }
    View bias() { return bias_.empty() ? View() : View(bias_.data(), DType::f32, {static_cast<std::int64_t>(bias_.size())}); }

  private:
    char* reserve(std::int64_t elements, DType dtype) {
        const std::size_t bytes = static_cast<std::size_t>(elements * size_of(dtype)) + 64;
        constexpr std::size_t large = std::size_t{64} << 20;
        if (bytes > memory_.capacity() || (memory_.capacity() > large && bytes < memory_.capacity() / 2)) {
            memory_ = Arena();
            memory_ = Arena(bytes);
        }
        memory_.reset();
        return static_cast<char*>(memory_.take(dtype, {elements}).data);
    }
    Arena memory_;
    std::vector<View> parts_;
    std::vector<float> bias_;
};

// job(index, staging) for every index below count, on so many threads; the first error is thrown when all have ended.
template <class Job> void run_jobs(int threads, std::int64_t count, const Job& job) {
    std::atomic<std::int64_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    const auto work = [&] {
        try {
            Staging staging;
            for (std::int64_t index = next++; index < count; index = next++) job(index, staging);
        } catch (...) {
            next = count;
            const std::lock_guard lock(mutex);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < threads && i < count; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
        // No more threads are to be had: those that there are do the work.
    }
    work();
    for (std::thread& other : others) other.join();
    if (error) std::rethrow_exception(error);
}

std::vector<AdapterSlot> adapter_slots(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, const StackedNames& stacked) {
    std::vector<AdapterSlot> slots;
    std::int64_t out_begin = 0;
    for (const char* name : stacked.names) {
        if (const LoraModule* m = lora.find(layer, name)) slots.push_back({out_begin, m->out, m->rank, m->scale, m->offset_a, m->offset_b});
        for (const LinearShape& shape : block_linears(config))
            if (shape.name == name) out_begin += shape.out;
    }
    return slots;
}

const StackedNames qkv_names(const ModelConfig& config) { return {{"q_proj", "k_proj", "v_proj"}, config.qkv_bias}; }
const StackedNames output_names{{"o_proj"}};
const StackedNames gate_up_names{{"gate_proj", "up_proj"}};
const StackedNames down_names{{"down_proj"}};

struct Tables {
    View embedding, final_norm;
    RopeTable rope;
    std::vector<View> attention_norms, mlp_norms;
};

Tables cut_tables(Arena& arena, const ModelConfig& config, const Decoder::Options& options) {
    Tables tables;
    if (!config.tied_head) tables.embedding = arena.take(options.dtype, {config.vocab_size, config.hidden_size});
    tables.final_norm = arena.take(DType::f32, {config.hidden_size});
    tables.rope.cosine = arena.take(DType::f32, {options.max_positions, config.head_size / 2});
    tables.rope.sine = arena.take(DType::f32, {options.max_positions, config.head_size / 2});
    for (std::int64_t i = 0; i < config.layers; ++i) {
        tables.attention_norms.push_back(arena.take(DType::f32, {config.hidden_size}));
        tables.mlp_norms.push_back(arena.take(DType::f32, {config.hidden_size}));
    }
    return tables;
}

}  // namespace

Decoder::Decoder(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Options options)
    : stream_(stream),
      config_(files.config()),
      lora_(lora),
      options_(options),
      attention_scale_(1.0f / std::sqrt(static_cast<float>(files.config().head_size))) {
    Arena counter;
    cut_tables(counter, config_, options_);
    arena_ = Arena(counter.used());
    const Tables tables = cut_tables(arena_, config_, options_);
    embedding_ = tables.embedding;
    final_norm_ = tables.final_norm;
    rope_ = tables.rope;
    const TensorSource& source = files.weights();
    if (!config_.tied_head) source.read("model.embed_tokens.weight", embedding_);
    source.read("model.norm.weight", final_norm_);
    fill_rope_table(config_, rope_);
    lowest_adapted_ = lora_.modules.empty() ? 0 : lora_.modules.front().layer;
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        Layer layer;
        layer.attention_norm = tables.attention_norms[static_cast<std::size_t>(i)];
        layer.mlp_norm = tables.mlp_norms[static_cast<std::size_t>(i)];
        const std::string block = fmt::format("model.layers.{}.", i);
        source.read(block + "input_layernorm.weight", layer.attention_norm);
        source.read(block + "post_attention_layernorm.weight", layer.mlp_norm);
        layers_.push_back(std::move(layer));
    }
    load_linears(source);
}

// One linear is a job of one thread, the head, the largest, the first.
void Decoder::load_linears(const TensorSource& source) {
    constexpr int most_loaders = 4;  // each holds one linear as the file has it; more would wait for memory, not for processors
    run_jobs(std::min(stream_.threads(), most_loaders), 1 + 4 * config_.layers, [&](std::int64_t job, Staging& staging) {
        Stream stream(1, stream_.isa());
        if (job == 0) {
            staging.read_head(source, config_, options_.dtype);
            head_ = PreparedLinear(stream, staging.parts(), View(), {}, {options_.training});
            return;
        }
        const std::int64_t index = (job - 1) / 4;
        Layer& layer = layers_[static_cast<std::size_t>(index)];
        const auto load = [&](const StackedNames& names) {
            staging.read(source, config_, options_.dtype, index, names);
            const bool backward = options_.training && index >= lowest_adapted_;  // below the lowest adapted layer no gradient flows
            return PreparedLinear(stream, staging.parts(), staging.bias(), adapter_slots(config_, lora_, index, names), {backward});
        };
        switch ((job - 1) % 4) {
            case 0: layer.qkv = load(qkv_names(config_)); break;
            case 1: layer.output = load(output_names); break;
            case 2: layer.gate_up = load(gate_up_names); break;
            default: layer.down = load(down_names); break;
        }
    });
}

std::size_t Decoder::bytes() const {
    std::size_t total = arena_.capacity() + head_.bytes();
    for (const Layer& layer : layers_) total += layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
    return total;
}

namespace {

struct StackedShape {
    std::int64_t out = 0, in = 0, rank_total = 0;
};

StackedShape stacked_shape(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, const StackedNames& stacked) {
    StackedShape result;
    for (const AdapterSlot& slot : adapter_slots(config, lora, layer, stacked)) result.rank_total += slot.rank;
    for (const LinearShape& shape : block_linears(config))
        for (const char* name : stacked.names)
            if (shape.name == name) {
                result.out += shape.out;
                result.in = shape.in;
            }
    return result;
}

}  // namespace

std::size_t Decoder::predict_bytes(const ModelConfig& config, const LoraLayout& lora, Options options) {
    Arena counter;
    cut_tables(counter, config, options);
    std::size_t total =
        counter.used() + PreparedLinear::predict_bytes(options.dtype, config.vocab_size, config.hidden_size, 0, false, {options.training});
    const std::int64_t lowest = lora.modules.empty() ? 0 : lora.modules.front().layer;
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const StackedNames& names : {qkv_names(config), output_names, gate_up_names, down_names}) {
            const StackedShape shape = stacked_shape(config, lora, i, names);
            total +=
                PreparedLinear::predict_bytes(options.dtype, shape.out, shape.in, shape.rank_total, names.bias, {options.training && i >= lowest});
        }
    return total;
}

std::size_t Decoder::predict_scratch(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, std::int64_t longest,
                                     int threads) {
    std::size_t most =
        std::max(ops::linear_cross_entropy_scratch(dtype, tokens, config.hidden_size, config.vocab_size, threads),
                 ops::attention_backward_scratch(dtype, config.heads, config.key_value_heads, config.head_size, std::min(tokens, longest), threads));
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const StackedNames& names : {qkv_names(config), output_names, gate_up_names, down_names}) {
            const StackedShape shape = stacked_shape(config, lora, i, names);
            most = std::max(most, ops::linear_backward_scratch(dtype, tokens, shape.out, shape.in, shape.rank_total));
        }
    return most;
}

}  // namespace temper
