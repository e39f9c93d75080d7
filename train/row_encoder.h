// Rows of training data to token ids with supervision marks, as TRL 1.16 prepares them (sft_trainer.py: EOS, template, prefix, truncation).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"
#include "train/row_text.h"

namespace temper {

struct TokenRow {
    std::vector<std::int32_t> ids;
    std::vector<std::uint8_t> supervised;  // 1: the token is a label, predicted from those before it
};

// Row kinds: {"prompt", "completion"} as strings or message lists; {"messages"}; {"text"}; {"input_ids"} with or without "labels", which are
// taken as they are (-100: not learned); without labels the lists of 0 and 1 "completion_mask" (with completion_only_loss) and
// "assistant_masks" (always) say what is learned, both together where both are there. Other fields are ignored; train/row_forms.h brings
// other forms into these.
class RowEncoder {
  public:
    struct Settings {
        std::string model;          // named in messages
        std::string chat_template;  // source; empty takes the tokenizer's
        bool completion_only_loss = true, assistant_only_loss = false;
    };
    RowEncoder(const Tokenizer& tokenizer, Settings settings);
    // bad_data opening with `place` when the row has none of the kinds or a field has the wrong type. Not truncated.
    TokenRow encode(const Json& row, const std::string& place);
    const std::string& template_source() const { return text_.template_source(); }  // empty when there is none

  private:
    TokenRow take_tokens(const Json& row, const std::string& place) const;
    TokenRow encode_text(const std::string& text) const;
    TokenRow encode_prompt_completion(const std::string& prompt, const std::string& completion) const;
    // `row` holds what the template reads beside the messages: tools, documents, chat_template_kwargs.
    TokenRow encode_messages(const Json& messages, const Json& row, const std::string& place);
    TokenRow encode_conversation(const Json& row, const std::string& place);
    TokenRow with_prompt_masked(const std::vector<std::int32_t>& prompt, std::vector<std::int32_t> full) const;

    const Tokenizer& tokenizer_;
    Settings settings_;
    RowText text_;
};

}  // namespace temper
