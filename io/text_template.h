// Jinja templates over named values, as lm-evaluation-harness renders its tasks' prompts: strict about names that are not there, no white space
// trimmed, a last line end kept, and its filter regex_replace.
#pragma once
#include <memory>
#include <string>

#include "io/jsonl.h"

namespace temper {

class TextTemplate {
  public:
    // bad_data as place:line:column where the source does not parse.
    TextTemplate(const std::string& source, std::string place);
    TextTemplate(TextTemplate&&) noexcept;
    TextTemplate& operator=(TextTemplate&&) noexcept;
    ~TextTemplate();

    // variables: an object. bad_data as place:line:column: message; thread-safe.
    std::string render(const Json& variables) const;
    const std::string& source() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
