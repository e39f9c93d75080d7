// The normalizers that drop and fold characters: BERT's, StripAccents, Nmt, Lowercase.
#include <array>

#include "io/tokenizer/text_steps.h"
#include "io/unicode.h"
#include "io/unicode_tables.h"

namespace temper::tok {

namespace {

// Rewrites character by character: change(c, out) writes what becomes of one, as text.
template <class Change> TextStep rewriting(Change change) {
    std::array<bool, 128> stays{};  // of ASCII
    for (char32_t c = 0; c < stays.size(); ++c) {
        std::string result;
        change(c, result);
        stays[c] = result == std::string(1, static_cast<char>(c));
    }
    return [change, stays](TextPieces& text) {
        std::string result;
        text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) {
            std::size_t kept = 0;  // from here on nothing has changed
            for (std::size_t at = 0, next = 0; at < piece.size(); at = next) {
                next = at + character_size(piece[at]);
                const auto byte = static_cast<unsigned char>(piece[at]);
                if (byte < stays.size() && stays[byte]) continue;
                result.clear();
                change(decode_character(piece, at), result);
                if (result == piece.substr(at, next - at)) continue;
                out.copy(piece, source, kept, at);
                out.put(result, source[at]);
                kept = next;
            }
            out.copy(piece, source, kept, piece.size());
        });
    };
}

bool is_chinese(char32_t c) {
    return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

// Removes control characters and what is no character, and makes every white space a space.
TextStep cleaning() {
    return rewriting([](char32_t c, std::string& out) {
        if (c >= 0x20 && c < 0x7f) out += static_cast<char>(c);
        else if (c == '\t' || c == '\n' || c == '\r') out += ' ';
        else if (!find_row(cleaned_characters(), c)) append_utf8(out, is_whitespace(c) ? U' ' : c);
    });
}

TextStep spacing_chinese() {
    return rewriting([](char32_t c, std::string& out) {
        if (is_chinese(c)) out += ' ';
        append_utf8(out, c);
        if (is_chinese(c)) out += ' ';
    });
}

TextStep dropping(const std::vector<ScalarRange>& members) {
    return rewriting([&members](char32_t c, std::string& out) {
        if (c < 0x80 || !find_row(members, c)) append_utf8(out, c);
    });
}

}  // namespace

TextStep lowercase() {
    return rewriting([](char32_t c, std::string& out) {
        if (c < 0x80) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
        else out += to_lowercase(c);
    });
}

TextStep strip_accents() { return dropping(combining_marks()); }

TextStep nmt() {
    return rewriting([](char32_t c, std::string& out) {
        const bool removed = (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
        const bool space = c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
                           c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
        if (!removed) append_utf8(out, space ? U' ' : c);
    });
}

void add_bert_normalizer(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
    const bool lowers = section.boolean("lowercase");
    if (section.boolean("clean_text")) steps.push_back(cleaning());
    if (section.boolean("handle_chinese_chars")) steps.push_back(spacing_chinese());
    if (section.boolean("strip_accents", lowers)) {
        steps.push_back(normalization(NormalForm::nfd));
        steps.push_back(dropping(nonspacing_marks()));
    }
    if (lowers) steps.push_back(lowercase());
}

// A piece goes on while the script stays; characters of no script, and spaces, go with any. What stands before the first script is dropped.
TextStep split_by_script() {
    return [](TextPieces& text) {
        text.split([](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
            int last = -1;
            for (std::size_t at = 0; at < piece.size(); at += character_size(piece[at])) {
                const char32_t c = decode_character(piece, at);
                const ScriptRange* row = c == ' ' ? nullptr : find_row(script_ranges(), c);
                if (row && row->script != last) {
                    if (!pieces.empty()) pieces.back().end = at;
                    pieces.push_back({at, piece.size()});
                    last = row->script;
                }
            }
        });
    };
}

}  // namespace temper::tok
