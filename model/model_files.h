// A model as a user names it: a Hugging Face directory or a .gguf file. Weights are asked for by their Hugging Face names in both cases.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "io/chat_template.h"
#include "io/tensors/tensor_source.h"
#include "io/tokenizer/tokenizer.h"
#include "model/config.h"
#include "model/quantized_weights.h"
#include "model/weight_names.h"

namespace temper {

class ModelFiles {
  public:
    enum class Head { needed, unread };
    // missing_input when there is no such path; bad_data names the file and field that is not understood. Head::unread: of a model whose hidden states
    // alone are wanted; a head of its own is neither needed nor read, and the configuration has it tied to the embedding.
    explicit ModelFiles(const std::filesystem::path& path, const Quantization& quantization = {}, Head head = Head::needed);
    // The same model with other weights, under the same names.
    ModelFiles(const ModelFiles& model, std::unique_ptr<TensorSource> weights);
    // Of another shape; `model` must outlive it.
    ModelFiles(const ModelFiles& model, std::unique_ptr<TensorSource> weights, ModelConfig config);

    const std::filesystem::path& path() const { return path_; }
    const ModelConfig& config() const { return config_; }
    const TensorSource& weights() const { return *weights_; }
    const GgufFile* gguf() const { return gguf_; }
    Tokenizer load_tokenizer() const;
    // The tokenizer's files lie in another directory: the model has learned new tokens.
    void set_tokenizer(std::filesystem::path directory) { tokenizer_ = std::move(directory); }
    const std::filesystem::path& tokenizer_path() const { return tokenizer_.empty() ? path_ : tokenizer_; }
    bool tokenizer_from_gguf() const { return gguf_ != nullptr && tokenizer_.empty(); }
    // Chat templates lie in another directory, where it has any: the adapter was trained with them.
    void set_template_path(std::filesystem::path directory) { templates_ = std::move(directory); }

  private:
    std::filesystem::path path_, tokenizer_, templates_;
    ModelConfig config_;
    std::unique_ptr<TensorSource> weights_;
    const GgufFile* gguf_ = nullptr;  // weights_ when it is one, else null
};

// Of the bytes of the model's configuration and weights.
std::string model_sha256(const std::filesystem::path& model);
// The same of the files' sizes and 256 blocks of each, in milliseconds whatever the model's size: other weights at the same path are seen, a few numbers
// changed by hand may not be.
std::string model_sample_sha256(const std::filesystem::path& model);

// The template that turns messages into text; a model without one is an Error saying so.
ChatTemplate chat_template_of(const Tokenizer& tokenizer, const std::string& model);

}  // namespace temper
