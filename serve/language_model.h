// One version of the model that chats: weights, adapter, tokenizer and template, loaded as temper generate loads them. It never changes; another
// version is another object beside it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/chat_template.h"
#include "io/tokenizer/tokenizer.h"
#include "kernels/stream.h"
#include "model/decoder.h"
#include "model/extended_model.h"
#include "runs/registry.h"
#include "serve/config.h"

namespace temper {

class LanguageModel {
  public:
    // registered: the version whose adapter is served, whose bytes are verified; none: what the settings name.
    LanguageModel(const ServeConfig& config, const std::optional<RegisteredModel>& registered);

    const Decoder& decoder() const { return *decoder_; }
    const Tokenizer& tokenizer() const { return *tokenizer_; }
    const std::vector<std::int32_t>& end_ids() const { return end_ids_; }
    std::int64_t max_context() const { return max_context_; }              // tokens of a prompt with its answer
    std::int64_t version() const { return version_; }                      // in the registry; 0 without one
    const std::string& adapter_sha256() const { return adapter_sha256_; }  // empty without an adapter
    std::string fingerprint() const;                                       // "v3-0123456789ab": version and adapter, as answers name them

    // A chat through the model's template; texts that spell control tokens stay texts. ApiError 400 with the template's complaint.
    std::vector<std::int32_t> encode_chat(const Json& messages, const Json& variables) const;
    std::vector<std::int32_t> encode_text(const std::string& text) const { return tokenizer_->encode(text, true); }

  private:
    std::int64_t version_ = 0, max_context_ = 0;
    std::string adapter_sha256_;
    Stream stream_;
    AdaptedModel files_;
    std::optional<Tokenizer> tokenizer_;
    std::optional<ChatTemplate> template_;
    std::vector<std::string> special_tokens_;
    std::vector<std::int32_t> end_ids_;
    std::optional<Decoder> decoder_;
};

}  // namespace temper
