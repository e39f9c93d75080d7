// Patterns of .gitignore.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace temper {

// git's wildmatch with a path: '*' and '?' do not cross '/', '**' between slashes does, [a-z] and [!a] are classes, '\' quotes.
bool matches_wildcard(std::string_view pattern, std::string_view path);

class IgnorePatterns {
  public:
    // The lines of a .gitignore that lies in the folder `base`, "" or "docs/api": they hold for what is below it.
    void add(std::string_view lines, const std::string& base);
    bool empty() const { return patterns_.empty(); }
    // Of a path from the root, without a slash at its end; the last pattern that matches decides. Folders above are the caller's to ask.
    bool matches(std::string_view path, bool is_folder) const;

  private:
    struct Pattern {
        std::string text, base;
        bool negated = false, folders_only = false, anchored = false;
    };
    std::vector<Pattern> patterns_;
};

}  // namespace temper
