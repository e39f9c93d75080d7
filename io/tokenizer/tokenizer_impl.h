// The parts of a tokenizer in the order in which a text meets them.
#pragma once
#include "io/tokenizer/added_tokens.h"
#include "io/tokenizer/post_processor.h"
#include "io/tokenizer/text_steps.h"
#include "io/tokenizer/token_decoder.h"
#include "io/tokenizer/token_model.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/tokenizer_config.h"

namespace temper {

struct Tokenizer::Impl {
    // text: a tokenizer.json, read at `place`.
    Impl(std::string text, const std::string& place, tok::TokenizerConfig beside);
    Impl(const Json& document, std::string&& text, const std::string& place, tok::TokenizerConfig beside);

    std::string json;  // tokenizer.json as it was read
    tok::TokenizerConfig config;
    std::unique_ptr<tok::TokenModel> model;
    tok::AddedTokens added;
    tok::TextSteps normalizer, pre_tokenizer;
    tok::Surroundings surroundings;
    std::vector<tok::DecodeStep> decoder;
    bool has_decoder = false;
    std::optional<std::int32_t> bos, eos;

    const tok::Vocabulary& vocabulary() const { return model->vocabulary(); }
    std::int64_t id_limit() const { return std::max(vocabulary().id_limit(), added.id_limit()); }
    void encode(std::string_view text, const Options& options, std::vector<std::int32_t>& ids,
                std::vector<std::pair<std::size_t, std::size_t>>* offsets) const;

  private:
    // The short way to ids: the last steps of the pre-tokenizer are taken word by word, and the words' ids remembered.
    struct ShortWay {
        std::size_t steps = 0;            // that are run as they are
        tok::WordCutter words = nullptr;  // then; nullptr: as the model cuts pieces
        bool byte_level = false;          // then
        std::uint64_t cache = 0;
    };
    ShortWay find_short_way() const;
    void encode_words(const tok::TextPieces& pieces, bool plain, std::vector<std::int32_t>& ids) const;
    void encode_symbols(const tok::TextPieces& pieces, bool plain, std::vector<std::int32_t>& ids,
                        std::vector<std::pair<std::size_t, std::size_t>>& offsets) const;
    ShortWay short_way;
    void read_added(const JsonSection& root);
    void check_alphabet(const JsonSection& root) const;
};

}  // namespace temper
