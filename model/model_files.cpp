#include "model/model_files.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/ranges.h>

#include "io/durable.h"
#include "io/input_file.h"
#include "io/sha256.h"
#include "model/bare_weights.h"
#include "model/gguf_names.h"
#include "model/model_path.h"

namespace temper {
namespace {

// A GGUF file under Hugging Face names. llama.cpp stores the q and k rows of Llama models with RoPE pairs interleaved (i, i+1);
// Hugging Face keeps the halves apart (i, i+d/2): undone here, row by row. Norm weights of Gemma models are stored as they multiply, where
// Hugging Face keeps them less 1.
class GgufWeights : public TensorSource {
  public:
    GgufWeights(const std::filesystem::path& path, bool keep_quantized) : file(path), keep_quantized_(keep_quantized) {}

    void set_model(const ModelConfig& config) {
        head_size_ = config.head_size;
        permuted_ = config.family == "llama" || config.family == "mistral";
        norm_plus_one_ = config.norm_plus_one;
        post_norms_ = config.post_norms;
        // Read with the configuration.
        std::set<std::string> known{"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"};
        for (const TensorInfo& expected : weight_list(config)) {
            const std::string stored = gguf_tensor_name(expected.name, post_norms_);
            if (const TensorInfo* info = stored.empty() ? nullptr : file.find(stored)) {
                TensorInfo renamed = *info;
                renamed.name = expected.name;
                infos_.push_back(renamed);
                known.insert(stored);
            }
        }
        // A tensor that nothing reads is a part of the model that would be left out of its arithmetic.
        for (const std::string& name : file.names())
            if (!known.contains(name))
                throw_error(ExitCode::bad_data, "{}: tensor {} belongs to no layer of a {} model that temper knows", file.describe(), name,
                            config.family);
    }
    std::vector<std::string> names() const override {
        std::vector<std::string> result;
        for (const TensorInfo& info : infos_) result.push_back(info.name);
        return result;
    }
    const TensorInfo* find(const std::string& name) const override {
        for (const TensorInfo& info : infos_)
            if (info.name == name) return &info;
        return nullptr;
    }
    void read(const std::string& name, View destination) const override {
        const std::string stored = gguf_tensor_name(name, post_norms_);
        if (norm_plus_one_ && name.find("norm.weight") != std::string::npos) return read_less_one(stored, destination);
        if (!rotated(name)) return file.read(stored, destination);
        const bool bias = destination.rank == 1;
        const std::int64_t rows = destination.size(0), columns = bias ? 1 : destination.size(1), element = size_of(destination.dtype);
        std::vector<char> memory(static_cast<std::size_t>(rows * columns * element));
        const View interleaved = bias ? View(memory.data(), destination.dtype, {rows}) : View(memory.data(), destination.dtype, {rows, columns});
        file.read(stored, interleaved);
        for (std::int64_t row = 0; row < rows; ++row) {
            std::memcpy(static_cast<char*>(destination.data) + row * (bias ? 1 : destination.stride[0]) * element,
                        memory.data() + stored_row(row) * columns * element, static_cast<std::size_t>(columns * element));
        }
    }
    std::string describe() const override { return file.describe(); }
    QuantFormat kept_as(const std::string& name) const override {
        return keep_quantized_ ? file.kept_as(gguf_tensor_name(name, post_norms_)) : QuantFormat();
    }
    void read_quantized(const std::string& name, QuantMatrix& to) const override {
        file.read_quantized(gguf_tensor_name(name, post_norms_), to);
        if (!rotated(name)) return;
        const std::vector<std::uint8_t> interleaved = to.data;
        const std::size_t row_bytes = interleaved.size() / static_cast<std::size_t>(to.view.out);
        for (std::int64_t row = 0; row < to.view.out; ++row)
            std::memcpy(to.data.data() + static_cast<std::size_t>(row) * row_bytes,
                        interleaved.data() + static_cast<std::size_t>(stored_row(row)) * row_bytes, row_bytes);
    }

    GgufFile file;

  private:
    bool rotated(const std::string& name) const {
        return permuted_ && (name.find(".q_proj.") != std::string::npos || name.find(".k_proj.") != std::string::npos);
    }
    // Where the file has a row of q or k.
    std::int64_t stored_row(std::int64_t row) const {
        const std::int64_t head = row / head_size_, within = row % head_size_;
        const std::int64_t half = within / (head_size_ / 2), pair = within % (head_size_ / 2);
        return head * head_size_ + pair * 2 + half;
    }
    void read_less_one(const std::string& stored, View destination) const {
        std::vector<float> values(static_cast<std::size_t>(destination.elements()));
        file.read(stored, View(values.data(), DType::f32, {destination.elements()}));
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (destination.dtype == DType::f32) destination.as<float>()[i] = values[i] - 1.0f;
            else destination.as<bf16>()[i] = to_bf16(values[i] - 1.0f);
        }
    }

    std::vector<TensorInfo> infos_;
    std::int64_t head_size_ = 0;
    bool keep_quantized_ = false;
    bool permuted_ = false, norm_plus_one_ = false, post_norms_ = false;
};

Json read_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

// generation_config.json may name more end tokens than config.json.
void add_generation_eos(const std::filesystem::path& directory, ModelConfig& config) {
    const std::filesystem::path path = directory / "generation_config.json";
    if (!std::filesystem::exists(path)) return;
    const Json json = read_json(path);
    if (!json.is_object() || !json.contains("eos_token_id")) return;
    const auto add = [&](const Json& id) {
        if (id.is_number_integer()) add_eos(config, id.get<std::int64_t>(), path.string());
    };
    const Json& eos = json.at("eos_token_id");
    if (eos.is_array())
        for (const Json& id : eos) add(id);
    else add(eos);
}

// Tensors that older files carry and that nothing computes with.
bool is_left_over(const ModelConfig& config, const std::string& name) {
    const auto ends_with = [&](const std::string& end) {
        return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
    };
    return ends_with(".rotary_emb.inv_freq") || (config.tied_head && name == "lm_head.weight");
}

void check_weights(const ModelConfig& config, const TensorSource& source) {
    std::set<std::string> known;
    for (const TensorInfo& expected : weight_list(config)) {
        known.insert(expected.name);
        const TensorInfo* found = source.find(expected.name);
        if (found == nullptr) throw_error(ExitCode::bad_data, "{}: tensor {} is missing", source.describe(), expected.name);
        if (found->shape != expected.shape)
            throw_error(ExitCode::bad_data, "{}: tensor {} has shape ({}), expected ({}) from the model's configuration", source.describe(),
                        expected.name, fmt::join(found->shape, ", "), fmt::join(expected.shape, ", "));
    }
    // A tensor that nothing reads is a part of the model that would be left out of its arithmetic.
    for (const std::string& name : source.names())
        if (!known.contains(name) && !is_left_over(config, name))
            throw_error(ExitCode::bad_data, "{}: tensor {} belongs to no layer of a {} model that temper knows", source.describe(), name,
                        config.family);
}

}  // namespace

ModelFiles::ModelFiles(const std::filesystem::path& path, const Quantization& quantization, Head head) : path_(path) {
    require_model(path);
    if (std::filesystem::is_directory(path)) {
        config_ = parse_model_config(read_json(path / "config.json"), (path / "config.json").string());
        add_generation_eos(path, config_);
        if (head == Head::unread) config_.tied_head = true;
        weights_ = open_safetensors(path);
        if (is_bare(*weights_)) weights_ = open_bare(std::move(weights_));
        if (is_bitsandbytes(*weights_)) weights_ = open_bitsandbytes(std::move(weights_));
        else if (is_fp8(*weights_)) weights_ = open_fp8(std::move(weights_));
    } else {
        auto gguf = std::make_unique<GgufWeights>(path, quantization.keep_quantized);
        config_ = model_config_from_gguf(gguf->file);
        if (head == Head::unread) config_.tied_head = true;
        gguf->set_model(config_);
        gguf_ = &gguf->file;
        weights_ = std::move(gguf);
    }
    if (quantization.load_in_4bit || quantization.load_in_fp8) weights_ = quantize_while_reading(std::move(weights_), config_, quantization);
    check_weights(config_, *weights_);
}

ModelFiles::ModelFiles(const ModelFiles& model, std::unique_ptr<TensorSource> weights)
    : path_(model.path_), templates_(model.templates_), config_(model.config_), weights_(std::move(weights)) {
    check_weights(config_, *weights_);
}

ModelFiles::ModelFiles(const ModelFiles& model, std::unique_ptr<TensorSource> weights, ModelConfig config)
    : path_(model.path_),
      tokenizer_(model.tokenizer_),
      templates_(model.templates_),
      config_(std::move(config)),
      weights_(std::move(weights)),
      gguf_(model.gguf_) {
    check_weights(config_, *weights_);
}

Tokenizer ModelFiles::load_tokenizer() const {
    Tokenizer tokenizer = tokenizer_from_gguf() ? Tokenizer::from_gguf(*gguf_) : Tokenizer::from_directory(tokenizer_path());
    if (!templates_.empty()) tokenizer.take_templates_of(templates_);
    return tokenizer;
}

namespace {

std::string sample_sha256(const std::filesystem::path& path) {
    constexpr std::uint64_t blocks = 256, block = 4096;
    const InputFile file(path);
    Sha256 hash;
    hash.update(std::to_string(file.size()));
    std::string bytes;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        const std::uint64_t begin = file.size() / blocks * i;
        bytes.resize(std::min(block, file.size() - begin));
        file.read_at(begin, bytes.data(), bytes.size());
        hash.update(bytes);
    }
    return hash.hex();
}

std::string sha256_of_files(const std::filesystem::path& model, std::string (*sha256)(const std::filesystem::path&)) {
    if (!std::filesystem::is_directory(model)) return sha256(model);
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(model))
        if (entry.path().extension() == ".safetensors" || entry.path().filename() == "config.json") names.insert(entry.path().filename().string());
    std::string all;
    for (const std::string& name : names) all += name + " " + sha256(model / name) + "\n";
    return sha256_hex(all);
}

}  // namespace

std::string model_sha256(const std::filesystem::path& model) { return sha256_of_files(model, sha256_file); }

std::string model_sample_sha256(const std::filesystem::path& model) { return sha256_of_files(model, sample_sha256); }

ChatTemplate chat_template_of(const Tokenizer& tokenizer, const std::string& model) {
    if (!tokenizer.chat_template())
        throw_error(ExitCode::bad_data,
                    "model '{}' has no chat template: rows of messages cannot be turned into text; use prompt/completion strings or text rows",
                    model);
    ChatTemplate made(*tokenizer.chat_template(), tokenizer.bos_token(), tokenizer.eos_token());
    if (tokenizer.tool_template()) made.set_tool_template(*tokenizer.tool_template());
    return made;
}

}  // namespace temper
