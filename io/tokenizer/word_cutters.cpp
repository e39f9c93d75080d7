#include "io/tokenizer/word_cutters.h"

#include <algorithm>
#include <utility>

#include "io/tokenizer/character_classes.h"

namespace temper::tok {

const std::string_view gpt2_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

using Classes = CharacterClasses;
constexpr std::uint8_t known = Classes::letter | Classes::number | Classes::space;  // what [^\s\p{L}\p{N}] leaves out

// A text being read; ends are byte offsets.
class Scan {
  public:
    explicit Scan(std::string_view text) : text_(text), classes_(Classes::table()) {}

    std::size_t size() const { return text_.size(); }
    char byte(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
    bool is_newline(std::size_t at) const { return byte(at) == '\n' || byte(at) == '\r'; }
    // Classes of the character at `at`, 0 at the end; `next` is where the one after it begins.
    std::uint8_t of(std::size_t at, std::size_t& next) const {
        if (at >= text_.size()) return next = at, std::uint8_t(0);
        std::size_t size = 0;
        const std::uint8_t classes = classes_.at(text_, at, size);
        next = at + size;
        return classes;
    }
    std::uint8_t of(std::size_t at) const {
        std::size_t next = 0;
        return of(at, next);
    }
    // End of the run of characters of these classes.
    std::size_t run(std::size_t at, std::uint8_t wanted) const {
        for (std::size_t next = at; of(at, next) & wanted;) at = next;
        return at;
    }
    // And of those of no class that counts: signs, marks.
    std::size_t run_of_others(std::size_t at) const {
        for (std::size_t next = at; at < text_.size() && !(of(at, next) & known);) at = next;
        return at;
    }
    bool is_other(std::size_t at) const { return at < text_.size() && !(of(at) & known); }

    // \s+(?!\S)|\s+ : white space up to the last character of it, which belongs to the word behind, if there is one.
    std::size_t white_space(std::size_t at) const {
        std::size_t last = at, end = at;
        for (std::size_t next = at; of(end, next) & Classes::space; end = next) last = end;
        return end == text_.size() || last == at ? end : last;
    }
    // End of the last newline of a run of white space; `at` where there is none.
    std::size_t last_newline(std::size_t at) const {
        std::size_t found = at;
        for (std::size_t next = at; of(at, next) & Classes::space; at = next)
            if (is_newline(at)) found = next;
        return found;
    }

    // 's 't 're 've 'm 'll 'd; `at` where there is none. Where case does not count, U+017F is an s as well.
    std::size_t contraction(std::size_t at, bool any_case) const {
        if (byte(at) != '\'') return at;
        const auto letter = [&](std::size_t place) {
            const char c = byte(place);
            return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
        };
        const char first = letter(at + 1), second = letter(at + 2);
        if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
        if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) return at + 3;
        if (any_case && byte(at + 1) == '\xc5' && byte(at + 2) == '\xbf') return at + 3;
        return at;
    }

  private:
    std::string_view text_;
    const Classes& classes_;
};

struct Gpt2 {
    static std::size_t next(const Scan& text, std::size_t at) {
        if (const std::size_t end = text.contraction(at, false); end != at) return end;
        const std::size_t from = text.byte(at) == ' ' ? at + 1 : at;
        std::size_t next = from;
        const std::uint8_t classes = text.of(from, next);
        if (classes & Classes::letter) return text.run(next, Classes::letter);
        if (classes & Classes::number) return text.run(next, Classes::number);
        if (text.is_other(from)) return text.run_of_others(next);
        return text.white_space(at);
    }
};

// Up to `most` of a run of numbers.
std::size_t some_numbers(const Scan& text, std::size_t at, int most) {
    for (std::size_t next = at; most > 0 && (text.of(at, next) & Classes::number); --most) at = next;
    return at;
}

//  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+   what follows the words in the patterns after GPT-2; some take a slash as a newline
std::size_t signs_or_space(const Scan& text, std::size_t at, bool with_slash) {
    const std::size_t from = text.byte(at) == ' ' ? at + 1 : at;
    if (text.is_other(from)) {
        std::size_t end = text.run_of_others(from);
        while (text.is_newline(end) || (with_slash && text.byte(end) == '/')) ++end;
        return end;
    }
    const std::size_t newline = text.last_newline(at);
    return newline != at ? newline : text.white_space(at);
}

// Llama 3 (digits 3), Qwen 2 (digits 1)
template <int digits> struct Cased {
    static std::size_t next(const Scan& text, std::size_t at) {
        if (const std::size_t end = text.contraction(at, true); end != at) return end;
        std::size_t next = at;
        const std::uint8_t classes = text.of(at, next);
        if (classes & Classes::letter) return text.run(next, Classes::letter);
        if (classes & Classes::number) return some_numbers(text, at, digits);
        if (!text.is_newline(at) && (text.of(next) & Classes::letter)) return text.run(next, Classes::letter);
        return signs_or_space(text, at, false);
    }
};

// GPT-4o (digits 3, contractions), Tekken (digits 1, none): a word goes from capitals to small letters, not back.
template <int digits, bool contractions> struct CapitalsFirst {
    static constexpr std::uint8_t neither = Classes::other_letter | Classes::mark;
    static constexpr std::uint8_t head = Classes::upper | neither, tail = Classes::lower | neither;

    static std::size_t next(const Scan& text, std::size_t at) {
        std::size_t behind = at;
        const std::uint8_t classes = text.of(at, behind);
        const bool may_lead = !(classes & (Classes::letter | Classes::number)) && !text.is_newline(at);
        std::size_t end = at;
        if ((may_lead && small(text, behind, end)) || small(text, at, end) || (may_lead && capital(text, behind, end)) || capital(text, at, end))
            return contractions ? text.contraction(end, true) : end;
        if (classes & Classes::number) return some_numbers(text, at, digits);
        return signs_or_space(text, at, true);
    }

  private:
    // head* tail+ : where no small letter follows the head, its last character that is neither stands for one.
    static bool small(const Scan& text, std::size_t at, std::size_t& end) {
        std::size_t behind_neither = at;
        bool found = false;
        for (std::size_t next = at;; at = next) {
            const std::uint8_t classes = text.of(at, next);
            if (!(classes & head)) break;
            if (classes & neither) {
                behind_neither = next;
                found = true;
            }
        }
        if (text.of(at) & tail) end = text.run(at, tail);
        else if (found) end = behind_neither;
        else return false;
        return true;
    }
    // head+ tail*
    static bool capital(const Scan& text, std::size_t at, std::size_t& end) {
        const std::size_t behind = text.run(at, head);
        if (behind == at) return false;
        end = text.run(behind, tail);
        return true;
    }
};

template <class Pattern> std::size_t cut(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) {
    const Scan scan(text);
    std::size_t count = 0;
    for (; count < capacity && at < text.size(); ++count) {
        const std::size_t end = Pattern::next(scan, at);
        words[count] = {at, end};
        at = end;
    }
    return count;
}

const std::pair<std::string_view, WordCutter> patterns[] = {
    {gpt2_pattern, cut<Gpt2>},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", cut<Cased<3>>},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", cut<Cased<1>>},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cut<CapitalsFirst<3, true>>},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
     R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cut<CapitalsFirst<1, false>>},
};

constexpr std::string_view mark = "\xe2\x96\x81";

}  // namespace

WordCutter cutter_of_pattern(std::string_view pattern) {
    const auto found = std::find_if(std::begin(patterns), std::end(patterns), [&](const auto& entry) { return entry.first == pattern; });
    return found == std::end(patterns) ? nullptr : found->second;
}

std::size_t cut_before_marks(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) {
    std::size_t count = 0;
    for (; count < capacity && at < text.size(); ++count) {
        const std::size_t end = std::min(text.find(mark, at + 1), text.size());
        words[count] = {at, end};
        at = end;
    }
    return count;
}

std::size_t cut_at_whitespace(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) {
    const Scan scan(text);
    std::size_t count = 0;
    while (count < capacity && at < text.size()) {
        const std::size_t begin = scan.run(at, Classes::space);
        at = begin;
        for (std::size_t next = at; at < text.size() && !(scan.of(at, next) & Classes::space);) at = next;
        if (begin < at) words[count++] = {begin, at};
    }
    return count;
}

std::size_t cut_at_whitespace_and_punctuation(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) {
    const Scan scan(text);
    std::size_t count = 0;
    while (count < capacity && at < text.size()) {
        const std::size_t begin = scan.run(at, Classes::space);
        std::size_t next = begin;
        const bool alone = scan.of(begin, next) & Classes::punctuation;
        for (at = begin; !alone && at < text.size() && !(scan.of(at, next) & (Classes::space | Classes::punctuation));) at = next;
        if (alone) at = next;
        if (begin < at) words[count++] = {begin, at};
    }
    return count;
}

}  // namespace temper::tok
