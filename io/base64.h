// Base64 as of RFC 4648, section 4: with padding, without line breaks.
#pragma once
#include <string>
#include <string_view>

namespace temper {

std::string encode_base64(std::string_view bytes);
// bad_data opening with `place` for anything that encode_base64 does not write.
std::string decode_base64(std::string_view text, const std::string& place);

}  // namespace temper
