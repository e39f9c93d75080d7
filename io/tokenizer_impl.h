// The parts of a tokenizer in the order in which a text meets them.
#pragma once
#include "io/added_tokens.h"
#include "io/bpe.h"
#include "io/post_processor.h"
#include "io/text_steps.h"
#include "io/token_decoder.h"
#include "io/tokenizer.h"
#include "io/tokenizer_config.h"

namespace temper {

struct Tokenizer::Impl {
    // text: a tokenizer.json, read at `place`.
    Impl(std::string text, const std::string& place, tok::TokenizerConfig beside);
    Impl(const Json& document, std::string&& text, const std::string& place, tok::TokenizerConfig beside);

    std::string json;  // tokenizer.json as it was read
    tok::TokenizerConfig config;
    tok::Bpe model;
    tok::AddedTokens added;
    tok::TextSteps normalizer, pre_tokenizer;
    tok::Surroundings surroundings;
    std::vector<tok::DecodeStep> decoder;
    bool has_decoder = false;
    std::optional<std::int32_t> bos, eos;

    std::int64_t id_limit() const { return std::max(model.id_limit(), added.id_limit()); }
    void encode(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& ids,
                std::vector<std::pair<std::size_t, std::size_t>>* offsets) const;

  private:
    void read_added(const JsonSection& root);
    void check_alphabet(const JsonSection& root) const;
};

}  // namespace temper
