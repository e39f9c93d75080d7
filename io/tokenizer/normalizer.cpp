#include <algorithm>

#include "io/tokenizer/text_steps.h"
#include "io/unicode.h"

namespace temper::tok {

TextStep byte_level_alphabet() {
    TextStep step = [](TextPieces& text) {
        text.rewrite([](std::string_view piece, const SourceView& source, PieceWriter& out) {
            for (std::size_t i = 0; i < piece.size(); ++i) {
                std::string character;
                append_utf8(character, byte_to_character(static_cast<unsigned char>(piece[i])));
                out.put(character, source[i]);
            }
        });
    };
    step.kind = TextStep::Kind::byte_alphabet;
    return step;
}

TextStep replacement(Regex pattern, std::string content) {
    if (pattern.literal().size() == 1) {
        return [from = pattern.literal()[0], content = std::move(content)](TextPieces& text) {
            text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) { out.copy_with(piece, source, from, content); });
        };
    }
    return [pattern = std::move(pattern), content = std::move(content)](TextPieces& text) {
        std::vector<Match> matches;
        text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) {
            matches.clear();
            pattern.find_all(piece, matches);
            for (const Match& match : matches) {
                if (match.matched) {
                    const std::size_t first = match.begin < match.end ? match.begin : match.begin > 0 ? match.begin - 1 : 0;
                    const std::size_t last = std::max(first, match.end > 0 ? match.end - 1 : 0);
                    out.put(content, {source[first].begin, source[last].end});
                } else {
                    out.copy(piece, source, match.begin, match.end);
                }
            }
        });
    };
}

TextStep prefix(std::string added, std::function<bool(std::string_view, const SourceView&)> unless) {
    return [added = std::move(added), unless = std::move(unless)](TextPieces& text) {
        text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) {
            if (!unless(piece, source)) out.put(added, source[0]);
            out.copy(piece, source, 0, piece.size());
        });
    };
}

Regex read_pattern(const JsonSection& section) {
    const JsonSection pattern = section.child("pattern");
    pattern.allow_only({"String", "Regex"});
    if (pattern.json().size() != 1) section.refuse("pattern", "expected {\"String\": ...} or {\"Regex\": ...}");
    if (const auto literal = pattern.text_if("String")) return Regex::of_literal(*literal, pattern.place());
    return Regex(pattern.text("Regex"), pattern.place());
}

namespace {

TextStep strip(bool left, bool right) {
    return [left, right](TextPieces& text) {
        text.rewrite([&](std::string_view piece, const SourceView& source, PieceWriter& out) {
            std::size_t begin = 0, end = piece.size();
            while (left && begin < end && is_whitespace(decode_character(piece, begin))) begin += character_size(piece[begin]);
            while (right && end > begin && is_whitespace(decode_character_before(piece, end))) {
                do --end;
                while (is_continuation(piece[end]));
            }
            out.copy(piece, source, begin, end);
        });
    };
}

}  // namespace

void add_normalizer(TextSteps& steps, const JsonSection& section) {
    const std::string type = section.type();
    if (type == "Sequence") {
        section.allow_only({"type", "normalizers"});
        for (const JsonSection& part : section.children("normalizers")) add_normalizer(steps, part);
    } else if (type == "Prepend") {
        section.allow_only({"type", "prepend"});
        steps.push_back(prefix(section.text("prepend"), [](std::string_view, const SourceView&) { return false; }));
    } else if (type == "Replace") {
        section.allow_only({"type", "pattern", "content"});
        steps.push_back(replacement(read_pattern(section), section.text("content")));
    } else if (type == "Strip") {
        section.allow_only({"type", "strip_left", "strip_right"});
        steps.push_back(strip(section.boolean("strip_left"), section.boolean("strip_right")));
    } else if (type == "BertNormalizer") {
        add_bert_normalizer(steps, section);
    } else if (type == "Precompiled") {
        add_precompiled(steps, section);
    } else {
        section.allow_only({"type"});
        if (type == "NFC") steps.push_back(normalization(NormalForm::nfc));
        else if (type == "NFD") steps.push_back(normalization(NormalForm::nfd));
        else if (type == "NFKC") steps.push_back(normalization(NormalForm::nfkc));
        else if (type == "NFKD") steps.push_back(normalization(NormalForm::nfkd));
        else if (type == "Lowercase") steps.push_back(lowercase());
        else if (type == "StripAccents") steps.push_back(strip_accents());
        else if (type == "Nmt") steps.push_back(nmt());
        else if (type == "ByteLevel") steps.push_back(byte_level_alphabet());
        else section.refuse("type", "\"" + type + "\" is not a normalizer that is supported");
    }
}

}  // namespace temper::tok
