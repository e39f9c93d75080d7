// The normalizer of SentencePiece models. As the reference has it: a short grapheme cluster that begins with an entry becomes the entry's
// replacement, whole; of other clusters each character is looked up by itself.
#include <array>
#include <memory>

#include <utf8proc.h>

#include "io/base64.h"
#include "io/tokenizer/charsmap.h"
#include "io/tokenizer/text_steps.h"
#include "io/unicode.h"

namespace temper::tok {

namespace {

// End of the grapheme cluster that begins at `at`.
std::size_t cluster_end(std::string_view text, std::size_t at) {
    utf8proc_int32_t state = 0;
    for (;;) {
        const std::size_t next = at + character_size(text[at]);
        if (next >= text.size()) return text.size();
        const auto left = static_cast<utf8proc_int32_t>(decode_character(text, at)),
                   right = static_cast<utf8proc_int32_t>(decode_character(text, next));
        if (utf8proc_grapheme_break_stateful(left, right, &state)) return next;
        at = next;
    }
}

struct Rules {
    Charsmap map;
    std::array<bool, 128> kept{};  // ASCII characters that stay as they are

    Rules(std::string_view bytes, const std::string& place) : map(bytes, place) {
        for (std::size_t c = 0; c < kept.size(); ++c) {
            const char byte = static_cast<char>(c);
            kept[c] = !map.find(std::string_view(&byte, 1));
        }
    }
    bool keeps(std::string_view text, std::size_t at) const {
        const auto byte = static_cast<unsigned char>(text[at]);
        return byte < 128 && kept[byte];
    }
};

void put_replacement(std::string_view with, std::size_t from, std::size_t to, std::string_view piece, const SourceView& source, PieceWriter& out) {
    for (std::size_t at = 0; at < with.size(); at += character_size(with[at])) {
        out.put(with.substr(at, character_size(with[at])), source[from]);
        if (const std::size_t next = from + character_size(piece[from]); next < to) from = next;
    }
}

void rewrite(const Rules& rules, std::string_view piece, const SourceView& source, PieceWriter& out) {
    for (std::size_t at = 0; at < piece.size();) {
        // Most text: characters that stay, with one of ASCII behind, so that nothing joins them. CR LF alone is a cluster.
        std::size_t run = at;
        while (run < piece.size() && rules.keeps(piece, run) && piece[run] != '\r' &&
               (run + 1 == piece.size() || static_cast<unsigned char>(piece[run + 1]) < 128))
            ++run;
        out.copy(piece, source, at, run);
        at = run;
        if (at == piece.size()) return;
        const std::size_t end = cluster_end(piece, at);
        if (end - at < 6) {
            if (const auto with = rules.map.find(piece.substr(at, end - at))) {
                put_replacement(*with, at, end, piece, source, out);
                at = end;
                continue;
            }
        }
        for (std::size_t next = at; at < end; at = next) {
            next = at + character_size(piece[at]);
            if (const auto with = rules.map.find(piece.substr(at, next - at))) put_replacement(*with, at, next, piece, source, out);
            else out.copy(piece, source, at, next);
        }
    }
}

}  // namespace

void add_precompiled(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "precompiled_charsmap"});
    const std::string place = section.place() + ".precompiled_charsmap";
    if (!section.find("precompiled_charsmap")) return;  // null: no rules
    const std::string bytes = decode_base64(section.text("precompiled_charsmap"), place);
    if (bytes.empty()) return;
    steps.push_back(TextStep([rules = std::make_shared<const Rules>(bytes, place)](TextPieces& text) {
        text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) { rewrite(*rules, piece, source, out); });
    }));
}

}  // namespace temper::tok
