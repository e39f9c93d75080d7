// Rows of preferences to token ids, as TRL 1.16 prepares them (dpo_trainer.py and kto_trainer.py: EOS, template, common prefix).
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "train/row_text.h"

namespace temper {

struct PreferenceRow {
    std::vector<std::int32_t> prompt;
    std::vector<std::vector<std::int32_t>> answers;  // chosen, rejected; or the completion
    bool label = true;                               // of the completion
    bool empty = false;                              // an answer has no text
    bool prompt_end_left_out = false;                // the prompt alone ends in tokens that it has not before every answer
};

class PreferenceEncoder {
  public:
    PreferenceEncoder(const Tokenizer& tokenizer, std::string model, std::string chat_template)
        : text_(tokenizer, std::move(model), std::move(chat_template)) {}
    // The named answers of a row as train/preference_forms.h leaves it: chosen and rejected together, or one of them or completion alone. The
    // prompt ends where it and all that is encoded together begin to differ. Not truncated. bad_data opening with `place`.
    PreferenceRow encode(const Json& row, std::initializer_list<const char*> answers, const std::string& place);
    const std::string& template_source() const { return text_.template_source(); }  // empty when there is none

  private:
    std::vector<std::int32_t> encode_whole(const Json& row, const char* answer, const std::string& place);

    RowText text_;
};

// What a label says: true or false, 1 or 0, also as text.
bool label_of(const Json& row, const std::string& place);

}  // namespace temper
