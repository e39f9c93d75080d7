#include "retrieval/charset.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include <iconv.h>

#include "retrieval/clean_text.h"

namespace temper {
namespace {

// The encodings of the web (WHATWG) that are neither UTF-8 nor Windows-1252, which decode_text tells apart: a page's word reaches iconv only if
// it stands here.
constexpr std::array known = {"shift_jis",    "sjis",         "euc-jp",       "iso-2022-jp",  "gb2312",       "gbk",          "gb18030",
                              "big5",         "euc-kr",       "koi8-r",       "koi8-u",       "windows-1250", "windows-1251", "windows-1253",
                              "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874",  "iso-8859-2",
                              "iso-8859-3",   "iso-8859-4",   "iso-8859-5",   "iso-8859-6",   "iso-8859-7",   "iso-8859-8",   "iso-8859-10",
                              "iso-8859-13",  "iso-8859-14",  "iso-8859-15",  "iso-8859-16",  "macintosh",    "ibm866"};

// Empty where iconv does not know the encoding.
std::string convert(std::string_view bytes, const std::string& charset) {
    const iconv_t converter = iconv_open("UTF-8", charset.c_str());
    if (converter == reinterpret_cast<iconv_t>(-1)) return "";
    std::string text;
    std::array<char, 4096> buffer{};
    char* in = const_cast<char*>(bytes.data());
    std::size_t left = bytes.size();
    while (left > 0) {
        char* out = buffer.data();
        std::size_t room = buffer.size();
        const std::size_t done = iconv(converter, &in, &left, &out, &room);
        text.append(buffer.data(), buffer.size() - room);
        if (done == static_cast<std::size_t>(-1) && errno != E2BIG && left > 0) {
            text += "\xef\xbf\xbd";
            ++in;
            --left;
        }
    }
    iconv_close(converter);
    return text;
}

}  // namespace

std::string charset_of(std::string_view content_type) {
    std::string text(content_type);
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (std::size_t at = text.find("charset"); at != std::string::npos; at = text.find("charset", at + 7)) {
        std::size_t begin = text.find_first_not_of(" \t\r\n", at + 7);
        if (begin == std::string::npos || text[begin] != '=') continue;
        begin = text.find_first_not_of(" \t\r\n\"'", begin + 1);
        if (begin == std::string::npos) return "";
        const std::size_t end = std::min(text.find_first_of(" \t\r\n\"';/>", begin), text.size());
        return text.substr(begin, end - begin);
    }
    return "";
}

std::string decode_html(std::string_view bytes, const std::string& served) {
    const bool marked = bytes.substr(0, 2) == "\xff\xfe" || bytes.substr(0, 2) == "\xfe\xff" || bytes.substr(0, 3) == "\xef\xbb\xbf";
    const std::string charset = marked ? "" : !served.empty() ? served : charset_of(bytes.substr(0, 4096));
    std::string text;
    if (std::find(known.begin(), known.end(), charset) != known.end()) text = convert(bytes, charset);
    if (text.empty()) text = decode_text(bytes);
    text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());
    return text;
}

}  // namespace temper
