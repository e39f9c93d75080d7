// Blocks and words of a page, written down as Markdown. Internal to retrieval/.
#pragma once
#include <string>
#include <string_view>

namespace temper {

class HtmlWriter {
  public:
    // What follows begins a line of its own, behind `blank` an empty one.
    void break_line(bool blank);
    void words(std::string_view text);     // white space of any length is one space
    void mark(const std::string& mark);    // "# ", "- ": before the words of a block
    void verbatim(std::string_view code);  // <pre>, between fences
    std::string take();

  private:
    void put(std::string_view text);
    std::string out_, mark_;
    int breaks_ = 0;  // line ends owed
    bool space_ = false;
};

}  // namespace temper
