// SentencePiece's compiled normalization rules: byte strings to replacements, in a double array [Yata's darts-clone].
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper::tok {

class Charsmap {
  public:
    // bytes: length of the array in bytes, the array (little endian), the replacements, each ended by a zero. bad_data opening with `place`.
    Charsmap(std::string_view bytes, const std::string& place);
    // Replacement of the shortest entry that the text begins with.
    std::optional<std::string_view> find(std::string_view text) const;

  private:
    std::vector<std::uint32_t> units_;
    std::string replacements_;
    std::string place_;
};

}  // namespace temper::tok
