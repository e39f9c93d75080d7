#include "serve/language_model.h"

#include "io/log.h"
#include "io/machine.h"
#include "model/algorithms.h"
#include "model/model_files.h"
#include "serve/api_error.h"

namespace temper {
namespace {

Quantization quantization_of(const ServeConfig& config) {
    return {config.load_in_4bit, config.bnb_4bit_use_double_quant, config.keep_quantized, config.dtype == "float32" ? DType::f32 : DType::bf16,
            config.load_in_fp8};
}

}  // namespace

LanguageModel::LanguageModel(const ServeConfig& config, const std::optional<RegisteredModel>& registered)
    : stream_(open_stream(config.device, 0, resolve_threads(config.threads), parse_isa(config.isa))) {
    std::string adapter = config.adapter.value_or("");
    if (registered) {
        verify_adapter(*registered);
        adapter = registered->adapter;
        version_ = registered->version;
    }
    if (!adapter.empty()) adapter_sha256_ = adapter_sha256_of(adapter);
    const std::string model = config.model ? *config.model : registered->model;
    files_ = open_adapted_model(model, adapter, quantization_of(config));
    const ModelFiles& files = files_.files();
    tokenizer_.emplace(files.load_tokenizer());
    special_tokens_ = tokenizer_->special_tokens();
    if (tokenizer_->chat_template()) template_.emplace(chat_template_of(*tokenizer_, model));
    max_context_ = std::min(config.max_context, files.config().max_position_embeddings);
    const Decoder::Options options{config.dtype == "float32" ? DType::f32 : DType::bf16, false, max_context_};
    settle_algorithms(stream_, [&] { return chosen_algorithms(stream_, files, files_.lora, options); });
    decoder_.emplace(stream_, files, files_.lora, options);
    if (!files_.parameters.empty()) decoder_->refresh_adapter(View(files_.parameters.data(), DType::f32, {files_.lora.parameters}));
    end_ids_ = files.config().eos_ids;
    if (const auto eos = tokenizer_->eos_id()) end_ids_.push_back(*eos);
    files_ = {};  // the decoder has all in its own memory
    release_free_memory();
}

std::string LanguageModel::fingerprint() const {
    const std::string adapter = adapter_sha256_.empty() ? "base" : adapter_sha256_.substr(0, 12);
    return version_ > 0 ? fmt::format("v{}-{}", version_, adapter) : adapter;
}

std::vector<std::int32_t> LanguageModel::encode_chat(const Json& messages, const Json& variables) const {
    if (!template_) refuse("messages", "the model has no chat template: use /v1/completions");
    try {
        const ChatTemplate::Rendered rendered = template_->render_guarded(messages, true, variables, special_tokens_);
        Tokenizer::Options options;
        options.add_special_tokens = false;
        options.barriers = Span<const std::size_t>(rendered.barriers);
        return tokenizer_->encode(rendered.text, options);
    } catch (const Error& error) {
        refuse("messages", "{}", shortened(error.what(), 1000));
    }
}

}  // namespace temper
