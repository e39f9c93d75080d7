// Rows with a question for a model: as its tokens, and the right answer beside it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/chat_template.h"
#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"

namespace temper {

// Message lists go through the model's chat template, texts are taken as they are.
class PromptEncoder {
  public:
    PromptEncoder(const Tokenizer& tokenizer, std::string model) : tokenizer_(tokenizer), model_(std::move(model)) {}

    // What the model reads. `row` holds what the template reads beside the messages. bad_data opening with `place`.
    std::string rendered(const Json& messages, const Json& row, const std::string& place);
    std::vector<std::int32_t> messages(const Json& messages, const Json& row, const std::string& place);
    std::vector<std::int32_t> text(const std::string& text) const;
    // Of {"prompt": text or messages} or {"messages"}, whose last turn is left out where it is the assistant's.
    std::vector<std::int32_t> row(const Json& row, const std::string& place);

  private:
    const Tokenizer& tokenizer_;
    std::string model_;
    std::optional<ChatTemplate> template_;
};

// A row's "prompt", or its "messages" without the assistant's turn at their end: text or list. bad_data where it has neither.
Json prompt_of(const Json& row, const std::string& place);
// The right answer that a row carries, as text: of "completion", or of the last assistant message.
std::optional<std::string> reference_of(const Json& row);

}  // namespace temper
