// Patterns of .gitignore.
#pragma once
#include <optional>
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
    bool matches(std::string_view path, bool is_folder) const { return verdict(path, is_folder).value_or(false); }
    // Of a file or one of the folders that it lies in, the nearest one that a pattern speaks of.
    bool matches_within(std::string_view path) const;

  private:
    // Whether the path is matched; nothing where no pattern speaks of it.
    std::optional<bool> verdict(std::string_view path, bool is_folder) const;
    struct Pattern {
        std::string text, base;
        bool negated = false, folders_only = false, anchored = false;
    };
    std::vector<Pattern> patterns_;
};

}  // namespace temper
