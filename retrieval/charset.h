// The encoding that an HTML page says it has.
#pragma once
#include <string>
#include <string_view>

namespace temper {

// The bytes as UTF-8 without NUL bytes: by byte order mark, by `charset` where the server named one, by that which a meta element in the first 4096 bytes
// names, else as decode_text. Bytes that the charset does not have become U+FFFD.
std::string decode_html(std::string_view bytes, const std::string& charset = "");

// "shift_jis" of "text/html; charset=Shift_JIS", lower case; empty where there is none.
std::string charset_of(std::string_view content_type);

}  // namespace temper
