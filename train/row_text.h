// Texts and conversations of a row to token ids, as TRL's _tokenize: plain text gets the tokenizer's special tokens, a conversation those that
// its template writes. Internal to train/.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/chat_template.h"
#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"

namespace temper {

class RowText {
  public:
    // `model` is named in messages. An empty chat_template takes the tokenizer's; it is parsed at the first conversation.
    RowText(const Tokenizer& tokenizer, std::string model, std::string chat_template);
    const std::string& template_source() const;  // empty when there is none
    const ChatTemplate& chat_template();

    std::vector<std::int32_t> plain(const std::string& text) const { return tokenizer_.encode(text, true); }
    std::string with_end(std::string text) const;  // EOS behind it, unless it ends so
    // `row` holds what the template reads beside the messages: tools, documents, chat_template_kwargs.
    ChatTemplate::Rendered render(const Json& messages, bool generation_prompt, const Json& row, const std::string& place);
    std::vector<std::int32_t> conversation(const Json& messages, bool generation_prompt, const Json& row, const std::string& place);

  private:
    const Tokenizer& tokenizer_;
    std::string model_, given_template_;
    std::optional<ChatTemplate> template_;
};

// bad_data opening with `place` unless `field` holds such a list.
void check_messages(const Json& messages, const std::string& place, const std::string& field);
std::vector<std::int32_t> token_ids(const Json& row, const char* field, const std::string& place, std::int32_t lowest = 0);
std::size_t common_prefix(const std::vector<std::int32_t>& one, const std::vector<std::int32_t>& other);

}  // namespace temper
