// Text to token ids and back, as the model's tokenizer.json (or its GGUF vocabulary) says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/jsonl.h"
#include "kernels/span.h"

namespace temper {

class GgufFile;

// A part of two texts laid end to end: the ids of the first or the second text, or tokens between; and its token type.
struct PairPiece {
    enum class Kind : std::uint8_t { first, second, tokens } kind = Kind::tokens;
    std::vector<std::int32_t> ids;  // of tokens
    std::int32_t type = 0;
};

class Tokenizer {
  public:
    // tokenizer.json, or else BERT's vocab.txt; with tokenizer_config.json, special_tokens_map.json and chat_template.jinja beside it where
    // present.
    static Tokenizer from_directory(const std::filesystem::path& directory);
    static Tokenizer from_gguf(const GgufFile& file);
    // The same with more special tokens, behind the last id; a content that it knows keeps its id.
    Tokenizer with_special_tokens(Span<const std::string> contents) const;
    // The same with text made lower case before all else, unless a normalizer of its own does that.
    Tokenizer with_lower_case() const;
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    ~Tokenizer();

    struct Options {
        bool add_special_tokens = true;  // runs the post-processor (BOS ...)
        // Special tokens that the text spells become their ids, as in transformers. Text of strangers must not command: with false it
        // gives no special token, but that for the unknown. Tokens that were added without being special are found in either case.
        bool parse_special = true;
        // Places of the text, in order: no special token holds the byte before one (ChatTemplate::Rendered has them of a conversation).
        Span<const std::size_t> barriers = {};
    };
    // Thread-safe. Never truncates or pads, whatever tokenizer.json says.
    std::vector<std::int32_t> encode(std::string_view text, const Options& options) const;
    void encode(std::string_view text, const Options& options, std::vector<std::int32_t>& ids) const;  // appends
    std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const;
    // Token offsets too: byte range of the text that each token covers.
    struct Encoding {
        std::vector<std::int32_t> ids;
        std::vector<std::pair<std::size_t, std::size_t>> offsets;
    };
    Encoding encode_with_offsets(std::string_view text, const Options& options) const;
    Encoding encode_with_offsets(std::string_view text, bool add_special_tokens) const;
    std::string decode(Span<const std::int32_t> ids, bool skip_special_tokens) const;
    // What add_special_tokens puts before and behind one text.
    const std::vector<std::int32_t>& tokens_before() const;
    const std::vector<std::int32_t>& tokens_after() const;
    // How two texts make one row; empty where tokenizer.json does not say.
    const std::vector<PairPiece>& pair_pieces() const;
    const Json& config() const;  // tokenizer_config.json

    std::int64_t vocabulary_size() const;  // highest id + 1
    std::optional<std::int32_t> id_of(std::string_view token) const;
    std::string token_of(std::int32_t id) const;
    bool is_special(std::int32_t id) const;
    std::optional<std::int32_t> bos_id() const;
    std::optional<std::int32_t> eos_id() const;
    std::string bos_token() const;  // empty when there is none
    std::string eos_token() const;
    std::vector<std::string> special_tokens() const;  // their spellings
    const std::optional<std::string>& chat_template() const;
    const std::optional<std::string>& tool_template() const;  // of conversations that come with tools, where it is another one
    // The templates that a directory has, where it has any, in place of these; false where it has none.
    bool take_templates_of(const std::filesystem::path& directory);

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
