#include "io/text_steps.h"
#include "io/unicode.h"

namespace temper::tok {

namespace {

// GPT-2's words.
constexpr std::string_view gpt2_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

TextStep split_by_regex(Regex pattern, SplitBehavior behavior, bool invert) {
    return [pattern = std::move(pattern), behavior, invert](TextPieces& text) {
        std::vector<Match> matches;
        text.split([&](std::string_view piece, std::vector<Piece>& pieces) {
            matches.clear();
            pattern.find_all(piece, matches);
            apply_split_behavior(matches, behavior, invert, pieces);
        });
    };
}

// Each character of the class is a match of its own.
TextStep split_by_class(bool (*is_member)(char32_t), SplitBehavior behavior) {
    return [is_member, behavior](TextPieces& text) {
        std::vector<Match> matches;
        text.split([&](std::string_view piece, std::vector<Piece>& pieces) {
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

// \w+|[^\w\s]+
void split_words(TextPieces& text) {
    text.split([](std::string_view piece, std::vector<Piece>& pieces) {
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

void add_byte_level(TextSteps& steps, const JsonSection& section) {
    section.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (section.boolean("add_prefix_space"))
        steps.push_back(prefix(" ", [](std::string_view piece, const SourceRange*) { return piece.front() == ' '; }));
    if (section.boolean("use_regex", true)) steps.push_back(split_by_regex(Regex(gpt2_pattern, section.place()), SplitBehavior::isolated, false));
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

    steps.push_back(replacement(Regex("\\ ", section.place()), mark));
    const bool only_first = scheme == "first";
    if (scheme != "never")
        steps.push_back(prefix(mark, [mark, only_first](std::string_view piece, const SourceRange* source) {
            return piece.substr(0, mark.size()) == mark || (only_first && source[0].begin != 0);
        }));
    if (section.boolean("split", true))
        steps.push_back(split_by_regex(Regex(escape_literal(mark), section.place()), SplitBehavior::merged_with_next, false));
}

}  // namespace

void add_pre_tokenizer(TextSteps& steps, const JsonSection& section) {
    const std::string type = section.type();
    if (type == "Sequence") {
        section.allow_only({"type", "pretokenizers"});
        for (const JsonSection& part : section.children("pretokenizers")) add_pre_tokenizer(steps, part);
    } else if (type == "ByteLevel") {
        add_byte_level(steps, section);
    } else if (type == "Split") {
        section.allow_only({"type", "pattern", "behavior", "invert"});
        steps.push_back(split_by_regex(read_pattern(section), read_behavior(section), section.boolean("invert")));
    } else if (type == "Digits") {
        section.allow_only({"type", "individual_digits"});
        steps.push_back(split_by_class(is_numeric, section.boolean("individual_digits") ? SplitBehavior::isolated : SplitBehavior::contiguous));
    } else if (type == "Punctuation") {
        section.allow_only({"type", "behavior"});
        steps.push_back(split_by_class(is_punctuation, section.find("behavior") ? read_behavior(section) : SplitBehavior::isolated));
    } else if (type == "Whitespace") {
        section.allow_only({"type"});
        steps.push_back(split_words);
    } else if (type == "WhitespaceSplit") {
        section.allow_only({"type"});
        steps.push_back(split_by_class(is_whitespace, SplitBehavior::removed));
    } else if (type == "Metaspace") {
        add_metaspace(steps, section);
    } else {
        section.refuse("type", "\"" + type + "\" is not a pre-tokenizer that is supported");
    }
}

}  // namespace temper::tok
