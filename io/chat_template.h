// Conversations to text by a model's own Jinja template, as transformers' apply_chat_template renders it.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class ChatTemplate {
  public:
    // bad_data with line and column when the source does not parse.
    ChatTemplate(const std::string& source, std::string bos_token, std::string eos_token);
    ChatTemplate(ChatTemplate&&) noexcept;
    ~ChatTemplate();

    struct Rendered {
        std::string text;
        std::vector<std::pair<std::size_t, std::size_t>> generated;  // byte ranges inside {% generation %} blocks
    };
    // messages: array of {"role", "content", ...}; variables: further names (tools, documents, enable_thinking ...) as an object.
    // raise_exception in the template becomes bad_data with its message.
    Rendered render(const Json& messages, bool add_generation_prompt, const Json& variables = Json::object()) const;
    bool has_generation_blocks() const;
    const std::string& source() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
