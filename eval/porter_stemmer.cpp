#include "eval/porter_stemmer.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace temper {
namespace {

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// A letter other than a, e, i, o, u, and y only where no consonant stands before it.
std::vector<bool> consonants(std::string_view word) {
    std::vector<bool> flags(word.size());
    for (std::size_t i = 0; i < word.size(); ++i) flags[i] = word[i] == 'y' ? i == 0 || !flags[i - 1] : !is_vowel_letter(word[i]);
    return flags;
}

// m of [C](VC)^m[V].
int measure(std::string_view stem) {
    const std::vector<bool> flags = consonants(stem);
    int count = 0;
    for (std::size_t i = 1; i < flags.size(); ++i) count += !flags[i - 1] && flags[i];
    return count;
}

bool contains_vowel(std::string_view stem) {
    const std::vector<bool> flags = consonants(stem);
    return std::find(flags.begin(), flags.end(), false) != flags.end();
}

// consonant, vowel, consonant other than w, x, y; NLTK: a vowel and a consonant alone, too
bool ends_cvc(std::string_view word) {
    const std::vector<bool> flags = consonants(word);
    const std::size_t n = word.size();
    if (n >= 3 && flags[n - 3] && !flags[n - 2] && flags[n - 1]) {
        const char last = word[n - 1];
        if (last != 'w' && last != 'x' && last != 'y') return true;
    }
    return n == 2 && !flags[0] && flags[1];
}

using Condition = bool (*)(std::string_view stem);
bool always(std::string_view) { return true; }
bool some(std::string_view stem) { return measure(stem) > 0; }
bool more_than_one(std::string_view stem) { return measure(stem) > 1; }

struct Rule {
    std::string_view suffix, replacement;
    Condition condition;
};

// The first rule whose suffix fits decides, whether its condition holds or not.
template <std::size_t N> std::string apply(std::string_view word, const std::array<Rule, N>& rules) {
    for (const Rule& rule : rules) {
        if (!word.ends_with(rule.suffix)) continue;
        const std::string_view stem = word.substr(0, word.size() - rule.suffix.size());
        return rule.condition(stem) ? std::string(stem) + std::string(rule.replacement) : std::string(word);
    }
    return std::string(word);
}

std::string without(std::string_view word, std::size_t count, std::string_view replacement = "") {
    return std::string(word.substr(0, word.size() - count)) + std::string(replacement);
}

std::string step1a(std::string_view word) {
    if (word.ends_with("ies") && word.size() == 4) return without(word, 1);
    static constexpr std::array<Rule, 4> rules{{{"sses", "ss", always}, {"ies", "i", always}, {"ss", "ss", always}, {"s", "", always}}};
    return apply(word, rules);
}

std::string after_ed_or_ing(std::string_view stem) {
    for (const std::string_view end : {"at", "bl", "iz"})
        if (stem.ends_with(end)) return std::string(stem) + "e";
    const std::size_t n = stem.size();
    if (n >= 2 && stem[n - 1] == stem[n - 2] && consonants(stem)[n - 1]) {
        const char last = stem[n - 1];
        return last == 'l' || last == 's' || last == 'z' ? std::string(stem) : without(stem, 1);
    }
    return measure(stem) == 1 && ends_cvc(stem) ? std::string(stem) + "e" : std::string(stem);
}

std::string step1b(std::string_view word) {
    if (word.ends_with("ied")) return without(word, word.size() == 4 ? 1 : 2);
    if (word.ends_with("eed")) return some(word.substr(0, word.size() - 3)) ? without(word, 1) : std::string(word);
    for (const std::string_view suffix : {"ed", "ing"}) {
        if (!word.ends_with(suffix)) continue;
        const std::string_view stem = word.substr(0, word.size() - suffix.size());
        if (contains_vowel(stem)) return after_ed_or_ing(stem);
    }
    return std::string(word);
}

std::string step1c(std::string_view word) {
    if (!word.ends_with('y')) return std::string(word);
    const std::string_view stem = word.substr(0, word.size() - 1);
    return stem.size() > 1 && consonants(stem).back() ? without(word, 1, "i") : std::string(word);
}

std::string step2(std::string_view word) {
    if (word.ends_with("alli") && some(word.substr(0, word.size() - 4))) return step2(without(word, 2));
    static constexpr std::array<Rule, 21> rules{
        {{"ational", "ate", some}, {"tional", "tion", some}, {"enci", "ence", some}, {"anci", "ance", some}, {"izer", "ize", some},
         {"bli", "ble", some},     {"alli", "al", some},     {"entli", "ent", some}, {"eli", "e", some},     {"ousli", "ous", some},
         {"ization", "ize", some}, {"ation", "ate", some},   {"ator", "ate", some},  {"alism", "al", some},  {"iveness", "ive", some},
         {"fulness", "ful", some}, {"ousness", "ous", some}, {"aliti", "al", some},  {"iviti", "ive", some}, {"biliti", "ble", some},
         {"fulli", "ful", some}}};
    const std::string stemmed = apply(word, rules);
    if (stemmed != word || !word.ends_with("logi")) return stemmed;
    return some(word.substr(0, word.size() - 3)) ? without(word, 1) : std::string(word);
}

std::string step3(std::string_view word) {
    static constexpr std::array<Rule, 7> rules{{{"icate", "ic", some},
                                                {"ative", "", some},
                                                {"alize", "al", some},
                                                {"iciti", "ic", some},
                                                {"ical", "ic", some},
                                                {"ful", "", some},
                                                {"ness", "", some}}};
    return apply(word, rules);
}

std::string step4(std::string_view word) {
    static constexpr Condition after_s_or_t = [](std::string_view stem) { return measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't'); };
    static constexpr std::array<Rule, 19> rules{{{"al", "", more_than_one},
                                                 {"ance", "", more_than_one},
                                                 {"ence", "", more_than_one},
                                                 {"er", "", more_than_one},
                                                 {"ic", "", more_than_one},
                                                 {"able", "", more_than_one},
                                                 {"ible", "", more_than_one},
                                                 {"ant", "", more_than_one},
                                                 {"ement", "", more_than_one},
                                                 {"ment", "", more_than_one},
                                                 {"ent", "", more_than_one},
                                                 {"ion", "", after_s_or_t},
                                                 {"ou", "", more_than_one},
                                                 {"ism", "", more_than_one},
                                                 {"ate", "", more_than_one},
                                                 {"iti", "", more_than_one},
                                                 {"ous", "", more_than_one},
                                                 {"ive", "", more_than_one},
                                                 {"ize", "", more_than_one}}};
    return apply(word, rules);
}

std::string step5(std::string_view word) {
    std::string result(word);
    if (word.ends_with('e')) {
        const std::string_view stem = word.substr(0, word.size() - 1);
        const int m = measure(stem);
        if (m > 1 || (m == 1 && !ends_cvc(stem))) result.pop_back();
    }
    if (result.ends_with("ll") && measure(std::string_view(result).substr(0, result.size() - 1)) > 1) result.pop_back();
    return result;
}

}  // namespace

std::string porter_stem(std::string_view word) {
    static const std::map<std::string_view, std::string_view> irregular{
        {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},      {"lying", "lie"},      {"tying", "tie"},        {"news", "news"},
        {"innings", "inning"}, {"inning", "inning"},   {"outings", "outing"}, {"outing", "outing"},  {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},  {"succeed", "succeed"}};
    if (const auto found = irregular.find(word); found != irregular.end()) return std::string(found->second);
    if (word.size() <= 2) return std::string(word);
    return step5(step4(step3(step2(step1c(step1b(step1a(word)))))));
}

}  // namespace temper
