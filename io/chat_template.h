// Conversations to text by a model's own Jinja template, as transformers' apply_chat_template renders it. One object may render from
// several threads at once. A template can neither run without end nor fill the memory: its nesting, its steps and its output are capped.
#pragma once
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class ChatTemplate {
  public:
    // An empty token means that the tokenizer has none: its name is undefined in the template.
    // bad_data with line and column when the source does not parse.
    ChatTemplate(const std::string& source, std::string bos_token, std::string eos_token);
    ChatTemplate(ChatTemplate&&) noexcept;
    ~ChatTemplate();

    struct Rendered {
        std::string text;
        std::vector<std::pair<std::size_t, std::size_t>> generated;  // byte ranges inside {% generation %} blocks
        std::vector<std::size_t> barriers;                           // render_guarded: for Tokenizer::Options
    };
    // messages: array of {"role", "content", ...}, of which keys with null are left out; variables: further names (tools, documents, enable_thinking ...) as an object.
    // Every failure is bad_data and reads "chat template:line:column: message"; raise_exception gives the template's own message.
    Rendered render(const Json& messages, bool add_generation_prompt, const Json& variables = Json::object()) const;
    // The same text, and where in it contents (of messages, tools and documents) spell one of the special tokens: tokenized with these
    // barriers, no content gives a control token. A template sees such contents with a mark in them; one that looks for the token in a
    // content does not find it.
    Rendered render_guarded(const Json& messages, bool add_generation_prompt, const Json& variables,
                            const std::vector<std::string>& special_tokens) const;
    bool has_generation_blocks() const;
    // Renders the conversations that come with tools, in place of this one.
    void set_tool_template(const std::string& source);
    // What strftime_now reads, the system's clock unless set; shown in local time.
    using Clock = std::function<std::time_t()>;
    void set_clock(Clock clock);
    const std::string& source() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The names beside its messages that a row gives to the template: tools, documents, and what chat_template_kwargs holds.
// bad_data opening with `place` when chat_template_kwargs is no object.
Json template_variables(const Json& row, const std::string& place);

}  // namespace temper
