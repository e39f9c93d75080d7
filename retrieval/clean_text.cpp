#include "retrieval/clean_text.h"

#include <array>
#include <cstdlib>
#include <memory>

#include <utf8proc.h>

#include "io/unicode.h"
#include "kernels/error.h"
#include "retrieval/clean_html.h"
#include "retrieval/clean_markdown.h"
#include "retrieval/markdown_fence.h"

namespace temper {
namespace {

// Windows-1252 from 0x80 to 0x9f; the five bytes that it leaves open are C1 controls, which cleaning removes.
constexpr std::array<char16_t, 32> windows_1252 = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
                                                   0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
                                                   0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

std::string from_windows_1252(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() + bytes.size() / 8);
    for (const char byte : bytes) {
        const auto code = static_cast<unsigned char>(byte);
        tok::append_utf8(text, code >= 0x80 && code < 0xa0 ? windows_1252[code - 0x80] : code);
    }
    return text;
}

std::string from_utf16(std::string_view bytes, bool big_endian) {
    const auto unit = [&](std::size_t i) -> char32_t {
        const auto first = static_cast<unsigned char>(bytes[i]), second = static_cast<unsigned char>(bytes[i + 1]);
        return big_endian ? static_cast<char32_t>(first << 8 | second) : static_cast<char32_t>(second << 8 | first);
    };
    std::string text;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        char32_t c = unit(i);
        if (c >= 0xd800 && c < 0xe000) {
            const char32_t low = c < 0xdc00 && i + 3 < bytes.size() ? unit(i + 2) : 0;
            const bool pair = low >= 0xdc00 && low < 0xe000;
            c = pair ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            if (pair) i += 2;
        }
        tok::append_utf8(text, c);
    }
    return text;
}

// Ill-formed bytes, and well-formed characters beyond ASCII: which of them is the rule tells the encoding.
bool is_mostly_ill_formed(std::string_view bytes) {
    std::size_t broken = 0, whole = 0;
    while (!bytes.empty()) {
        const std::size_t invalid = find_invalid_utf8(bytes);
        const std::string_view valid = bytes.substr(0, invalid);
        for (const char byte : valid) whole += (static_cast<unsigned char>(byte) & 0xc0) == 0xc0 ? 1 : 0;
        if (invalid == std::string_view::npos) break;
        ++broken;
        bytes.remove_prefix(invalid + 1);
    }
    return broken > whole;
}

std::string nfc(std::string text) {
    bool ascii = true;
    for (const char byte : text) ascii = ascii && static_cast<unsigned char>(byte) < 0x80;
    if (ascii) return text;
    utf8proc_uint8_t* mapped = nullptr;
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const utf8proc_ssize_t size =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (size < 0) throw_error(ExitCode::internal, "NFC of {} bytes: {}", text.size(), utf8proc_errmsg(size));
    return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)};
}

// Marks that show nothing and carry no meaning of their own; the joiners U+200C and U+200D do.
bool is_invisible(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           c == 0x2060 || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

std::string one_kind_of_line_end(std::string_view text) {
    std::string lines;
    lines.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r') lines += text[i];
        else if (i + 1 == text.size() || text[i + 1] != '\n') lines += '\n';
    }
    return lines;
}

// Lines are added to a text with at most `blanks` empty ones in a row, none first or last.
class Lines {
  public:
    explicit Lines(std::size_t blanks) : most_(blanks) {}
    void add(std::string line) {
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.pop_back();
        if (line.empty()) {
            ++blanks_;
            return;
        }
        if (!text_.empty()) text_.append(std::min(blanks_, most_), '\n');
        blanks_ = 0;
        text_ += line;
        text_ += '\n';
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
    std::size_t most_, blanks_ = 0;
};

// indentation: leading spaces and tabs stand as they are.
std::string clean_line(std::string_view line, bool indentation, bool collapse) {
    std::string clean;
    std::size_t at = 0;
    if (indentation)
        for (; at < line.size() && (line[at] == ' ' || line[at] == '\t'); ++at) clean += line[at];
    const std::size_t indent = clean.size();
    while (at < line.size()) {
        const std::size_t size = tok::character_size(line[at]);
        const char32_t c = tok::decode_character(line, at);
        const bool tab_of_code = c == '\t' && !collapse;
        if (collapse && (tok::is_whitespace(c) || c == 0x2028 || c == 0x2029)) {
            if (clean.size() > indent && clean.back() != ' ') clean += ' ';
        } else if (tab_of_code || !is_invisible(c)) {
            clean.append(line.substr(at, size));
        }
        at += size;
    }
    return clean;
}

}  // namespace

std::string decode_text(std::string_view bytes) {
    if (bytes.substr(0, 2) == "\xff\xfe" || bytes.substr(0, 2) == "\xfe\xff") return from_utf16(bytes.substr(2), bytes[0] == '\xfe');
    if (bytes.substr(0, 3) == "\xef\xbb\xbf") bytes.remove_prefix(3);
    if (find_invalid_utf8(bytes) == std::string_view::npos) return std::string(bytes);
    return is_mostly_ill_formed(bytes) ? from_windows_1252(bytes) : tok::replace_invalid_utf8(bytes);
}

std::string clean_characters(std::string_view text, TextForm form) {
    const bool code = form == TextForm::code;
    const std::string lines = one_kind_of_line_end(text);
    Lines clean(code ? 2 : 1);
    MarkdownFence fence;
    MarkdownIndent indent;
    for (std::size_t begin = 0; begin < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', begin), lines.size());
        const std::string_view line = std::string_view(lines).substr(begin, end - begin);
        const bool verbatim = code || (form == TextForm::markdown && (fence.next(line) || indent.next(line)));
        clean.add(clean_line(line, verbatim || form == TextForm::markdown, !verbatim));
        begin = end + 1;
    }
    return code ? clean.take() : nfc(clean.take());
}

void clean_document(Document& document) {
    // The HTML reader knows the encodings that a page declares; everything else is decoded here.
    if (document.form == TextForm::html) {
        document.text = html_to_markdown(document.text, document.metadata, document.place);
        document.form = TextForm::markdown;
    } else {
        document.text = decode_text(document.text);
        if (document.form == TextForm::markdown) document.text = strip_markdown(document.text, document.metadata);
    }
    document.text = clean_characters(document.text, document.form);
}

}  // namespace temper
