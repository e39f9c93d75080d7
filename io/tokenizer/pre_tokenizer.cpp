#include "io/tokenizer/character_classes.h"
#include "io/tokenizer/text_steps.h"
#include "io/tokenizer/word_cutters.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

TextStep split_by_regex(Regex pattern, SplitBehavior behavior, bool invert) {
    return [pattern = std::move(pattern), behavior, invert](TextPieces& text) {
        std::vector<Match> matches;
        text.split([&](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
            matches.clear();
            pattern.find_all(piece, matches);
            apply_split_behavior(matches, behavior, invert, pieces);
        });
    };
}

// Each character of the class, or the one that is given, is a match of its own.
template <class IsMember> TextStep split_by_character(IsMember is_member, SplitBehavior behavior) {
    return [is_member, behavior](TextPieces& text) {
        std::vector<Match> matches;
        text.split([&](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
            matches.clear();
            std::size_t covered = 0;
            for (std::size_t at = 0; at < piece.size();) {
                const std::size_t next = at + character_size(piece[at]);
                if (is_member(decode_character(piece, at))) {
                    if (covered < at) matches.push_back({covered, at, false});
                    matches.push_back({at, next, true});
                    covered = next;
                }
                at = next;
            }
            if (covered < piece.size()) matches.push_back({covered, piece.size(), false});
            apply_split_behavior(matches, behavior, false, pieces);
        });
    };
}

TextStep split_by_class(std::uint8_t wanted, SplitBehavior behavior) {
    const CharacterClasses& classes = CharacterClasses::table();
    return split_by_character([&classes, wanted](char32_t c) { return (classes.of(c) & wanted) != 0; }, behavior);
}

// So many characters a piece.
TextStep split_by_length(std::int64_t length) {
    return [length](TextPieces& text) {
        text.split([&](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
            std::size_t begin = 0, at = 0;
            for (std::int64_t count = 1; at < piece.size(); ++count) {
                at += character_size(piece[at]);
                if (count % length != 0 && at < piece.size()) continue;
                pieces.push_back({begin, at});
                begin = at;
            }
        });
    };
}

// \w+|[^\w\s]+
void split_words(TextPieces& text) {
    text.split([](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
        int previous = 0;  // 0 space, 1 word, 2 other
        for (std::size_t at = 0; at < piece.size(); at += character_size(piece[at])) {
            const char32_t c = decode_character(piece, at);
            const int kind = is_whitespace(c) ? 0 : is_word(c) ? 1 : 2;
            if (kind != 0 && kind == previous) pieces.back().end = at + character_size(piece[at]);
            else if (kind != 0) pieces.push_back({at, at + character_size(piece[at])});
            previous = kind;
        }
    });
}

SplitBehavior read_behavior(const JsonSection& section) {
    const std::string name = section.text("behavior");
    if (name == "Removed") return SplitBehavior::removed;
    if (name == "Isolated") return SplitBehavior::isolated;
    if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
    if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
    if (name == "Contiguous") return SplitBehavior::contiguous;
    section.refuse("behavior", "\"" + name + "\", expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void add_split(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "pattern", "behavior", "invert"});
    const SplitBehavior behavior = read_behavior(section);
    const bool invert = section.boolean("invert");
    Regex pattern = read_pattern(section);
    const auto regex = section.child("pattern").text_if("Regex");
    const WordCutter cutter = regex && behavior == SplitBehavior::isolated ? cutter_of_pattern(*regex) : nullptr;  // inverted it is the same
    if (cutter) steps.push_back(TextStep(cutter));
    else steps.push_back(split_by_regex(std::move(pattern), behavior, invert));
}

void add_byte_level(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (section.boolean("add_prefix_space"))
        steps.push_back(prefix(" ", [](std::string_view piece, const SourceView&) { return piece.front() == ' '; }));
    if (section.boolean("use_regex", true)) steps.push_back(TextStep(cutter_of_pattern(gpt2_pattern)));
    steps.push_back(byte_level_alphabet());
}

void add_metaspace(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
    const std::string mark = section.text("replacement");
    if (mark.empty() || character_size(mark[0]) != mark.size()) section.refuse("replacement", "expected one character");
    std::string scheme = section.text_if("prepend_scheme").value_or("always");
    if (!section.boolean("add_prefix_space", true)) {
        if (section.find("prepend_scheme") && scheme != "never") section.refuse("add_prefix_space", "false, while prepend_scheme is " + scheme);
        scheme = "never";
    }
    if (scheme != "always" && scheme != "first" && scheme != "never")
        section.refuse("prepend_scheme", "\"" + scheme + "\", expected always, first or never");

    steps.push_back(replacement(Regex::of_literal(" ", section.place()), mark));
    const bool only_first = scheme == "first";
    if (scheme != "never")
        steps.push_back(prefix(mark, [mark, only_first](std::string_view piece, const SourceView& source) {
            return piece.substr(0, mark.size()) == mark || (only_first && source[0].begin != 0);
        }));
    if (!section.boolean("split", true)) return;
    if (mark == "\xe2\x96\x81") steps.push_back(TextStep(cut_before_marks));
    else steps.push_back(split_by_regex(Regex(escape_literal(mark), section.place()), SplitBehavior::merged_with_next, false));
}

}  // namespace

TextStep::TextStep(WordCutter cutter) : kind(Kind::words), words(cutter) {
    run = [cutter](TextPieces& text) {
        text.split([cutter](std::string_view piece, const SourceView&, std::vector<Piece>& pieces) {
            Word found[64];
            for (std::size_t at = 0; at < piece.size();) {
                const std::size_t count = cutter(piece, at, found, std::size(found));
                for (std::size_t i = 0; i < count; ++i) pieces.push_back({found[i].begin, found[i].end});
            }
        });
    };
}

void add_pre_tokenizer(TextSteps& steps, const JsonSection& section) {
    const std::string type = section.type();
    if (type == "Sequence") {
        section.allow_only({"type", "pretokenizers"});
        for (const JsonSection& part : section.children("pretokenizers")) add_pre_tokenizer(steps, part);
    } else if (type == "ByteLevel") {
        add_byte_level(steps, section);
    } else if (type == "Split") {
        add_split(steps, section);
    } else if (type == "Digits") {
        section.allow_only({"type", "individual_digits"});
        steps.push_back(
            split_by_class(CharacterClasses::digit, section.boolean("individual_digits") ? SplitBehavior::isolated : SplitBehavior::contiguous));
    } else if (type == "Punctuation") {
        section.allow_only({"type", "behavior"});
        steps.push_back(split_by_class(CharacterClasses::punctuation, section.find("behavior") ? read_behavior(section) : SplitBehavior::isolated));
    } else if (type == "Whitespace") {
        section.allow_only({"type"});
        steps.push_back(split_words);
    } else if (type == "WhitespaceSplit") {
        section.allow_only({"type"});
        steps.push_back(TextStep(cut_at_whitespace));
    } else if (type == "BertPreTokenizer") {
        section.allow_only({"type"});
        steps.push_back(TextStep(cut_at_whitespace_and_punctuation));
    } else if (type == "CharDelimiterSplit") {
        section.allow_only({"type", "delimiter"});
        const std::string delimiter = section.text("delimiter");
        if (delimiter.empty() || character_size(delimiter[0]) != delimiter.size()) section.refuse("delimiter", "expected one character");
        steps.push_back(split_by_character([c = decode_character(delimiter, 0)](char32_t other) { return c == other; }, SplitBehavior::removed));
    } else if (type == "FixedLength") {
        section.allow_only({"type", "length"});
        steps.push_back(split_by_length(section.find("length") ? section.integer("length", 1, std::int64_t(1) << 31) : 5));
    } else if (type == "UnicodeScripts") {
        section.allow_only({"type"});
        steps.push_back(split_by_script());
    } else if (type == "Metaspace") {
        add_metaspace(steps, section);
    } else {
        section.refuse("type", "\"" + type + "\" is not a pre-tokenizer that is supported");
    }
}

}  // namespace temper::tok
