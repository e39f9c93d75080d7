// Regular expressions over dotted names (model.layers.3.mlp.up_proj), as Python's re reads them, on PCRE2. Names are short and plain, so the
// two agree; work is capped.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace temper {

class PathPattern {
  public:
    // Usage error with PCRE2's reason; `place` opens the message.
    PathPattern(const std::string& pattern, const std::string& place);
    bool matches(std::string_view path) const;        // re.fullmatch
    bool matches_start(std::string_view path) const;  // re.match

  private:
    bool run(std::string_view path, unsigned options) const;
    std::shared_ptr<const void> code_;  // pcre2_code
    std::string place_, pattern_;
};

}  // namespace temper
