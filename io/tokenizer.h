// Text to token ids and back, as the model's tokenizer.json (or its GGUF vocabulary) says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/span.h"

namespace temper {

class GgufFile;

class Tokenizer {
  public:
    // tokenizer.json with tokenizer_config.json, special_tokens_map.json and chat_template.jinja beside it where present.
    static Tokenizer from_directory(const std::filesystem::path& directory);
    static Tokenizer from_gguf(const GgufFile& file);
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    ~Tokenizer();

    // Special tokens written in the text become their ids (as in transformers); add_special_tokens runs the post-processor (BOS ...).
    // Thread-safe. Never truncates or pads, whatever tokenizer.json says.
    std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const;
    // Token offsets too: byte range of the text that each token covers.
    struct Encoding {
        std::vector<std::int32_t> ids;
        std::vector<std::pair<std::size_t, std::size_t>> offsets;
    };
    Encoding encode_with_offsets(std::string_view text, bool add_special_tokens) const;
    std::string decode(Span<const std::int32_t> ids, bool skip_special_tokens) const;

    std::int64_t vocabulary_size() const;  // highest id + 1
    std::optional<std::int32_t> id_of(std::string_view token) const;
    std::string token_of(std::int32_t id) const;
    bool is_special(std::int32_t id) const;
    std::optional<std::int32_t> bos_id() const;
    std::optional<std::int32_t> eos_id() const;
    std::string bos_token() const;  // empty when there is none
    std::string eos_token() const;
    const std::optional<std::string>& chat_template() const;

    // The files of a Hugging Face directory that make the same tokenizer: tokenizer.json, tokenizer_config.json (with the chat template).
    std::string to_tokenizer_json() const;
    std::string to_tokenizer_config_json() const;
    std::string fingerprint() const;  // sha256 of what decides ids, for caches

  private:
    struct Impl;
    explicit Tokenizer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
