// Regular expressions in the syntax of Python's re, on PCRE2. What the two read differently is rewritten (\Z, (?<name>...) is refused as Python does)
// or refused; classes are those of Unicode.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

class PythonRegex {
  public:
    // bad_data that opens with `place` where the pattern does not compile.
    PythonRegex(std::string_view pattern, const std::string& place);

    int groups() const { return groups_; }
    // re.findall: for every match its groups, or the whole match where the pattern has none. The text is valid UTF-8.
    std::vector<std::vector<std::string>> find_all(std::string_view text) const;
    bool search(std::string_view text) const;
    // re.sub: \1, \g<1>, \g<name> and \g<0> in the replacement; at most `count` times, always for 0.
    std::string replace(std::string_view text, std::string_view replacement, std::size_t count = 0) const;

  private:
    struct Group {
        std::size_t begin, end;  // npos: took no part
    };
    // The next match at or behind `from`, whole match first; false where there is none. `empty_at`: no empty match here.
    bool next(std::string_view text, std::size_t from, std::size_t empty_at, std::vector<Group>& groups) const;
    void append_replacement(std::string& out, std::string_view text, std::string_view replacement, const std::vector<Group>& groups) const;

    std::shared_ptr<const void> code_;  // pcre2_code
    std::string place_;
    int groups_ = 0;
};

}  // namespace temper
