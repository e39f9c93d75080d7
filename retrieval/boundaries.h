// Where a text may be cut, and how good each place is.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/document.h"

namespace temper {

enum class Cut : std::uint8_t {
    word,       // behind white space; between characters of scripts without spaces
    sentence,   // in code: a line
    paragraph,  // in code: behind a blank line
    section,    // before a heading; in code: before a line that is not indented, behind a blank line
};

struct Boundary {
    std::size_t place = 0;  // of the first byte behind the cut; 0 < place < text.size()
    Cut cut = Cut::word;
};

// Rising places, of cleaned text.
std::vector<Boundary> find_boundaries(std::string_view text, TextForm form);

struct Heading {
    std::size_t place = 0;  // of its line
    int level = 1;
    std::string text;
};
// Of Markdown, in order: lines of # to ######, and lines underlined with = or -. None in code between fences.
std::vector<Heading> find_headings(std::string_view text);

// "Guide > Install": the open headings at `place`.
std::string heading_path(const std::vector<Heading>& headings, std::size_t place);

}  // namespace temper
