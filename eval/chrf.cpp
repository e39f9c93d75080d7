// chrF and chrF++ as sacrebleu 2.6 computes them: character (and word) n-grams, recall twice as heavy as precision.       [Popović 2015, 2017]
#include <algorithm>
#include <map>

#include "eval/metric_families.h"
#include "eval/python_text.h"
#include "io/unicode.h"

namespace temper {
namespace {

constexpr std::size_t character_order = 6;
constexpr double factor = 4.0;  // beta squared

template <class Item> std::map<std::vector<Item>, std::int64_t> count_ngrams(const std::vector<Item>& items, std::size_t n) {
    std::map<std::vector<Item>, std::int64_t> counts;
    for (std::size_t i = 0; i + n <= items.size(); ++i) {
        const auto begin = items.begin() + static_cast<std::ptrdiff_t>(i);
        ++counts[{begin, begin + static_cast<std::ptrdiff_t>(n)}];
    }
    return counts;
}

// n-grams of the prediction, of the reference, and of both.
template <class Item> void add_counts(const std::vector<Item>& prediction, const std::vector<Item>& reference, std::size_t n, double* to) {
    const auto expected = count_ngrams(reference, n);
    const auto total = [n](const std::vector<Item>& items) { return items.size() >= n ? static_cast<double>(items.size() - n + 1) : 0.0; };
    to[0] = expected.empty() ? 0.0 : total(prediction);
    to[1] = total(reference);
    to[2] = 0.0;
    for (const auto& [ngram, count] : count_ngrams(prediction, n))
        if (const auto found = expected.find(ngram); found != expected.end()) to[2] += static_cast<double>(std::min(count, found->second));
}

// Orders that either text does not have are left out.
double f_score(const double* sums, std::size_t orders) {
    double precision = 0.0, recall = 0.0, effective = 0.0;
    for (std::size_t i = 0; i < orders; ++i) {
        const double found = sums[3 * i], expected = sums[3 * i + 1], common = sums[3 * i + 2];
        if (found == 0.0 || expected == 0.0) continue;
        precision += common / found;
        recall += common / expected;
        effective += 1.0;
    }
    if (precision + recall == 0.0) return 0.0;
    precision /= effective;
    recall /= effective;
    return 100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall);
}

std::vector<char32_t> characters_of(const std::string& text) {
    std::vector<char32_t> characters;
    for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) {
        const char32_t c = tok::decode_character(text, at);
        if (!is_python_space(c)) characters.push_back(c);
    }
    return characters;
}

bool is_ascii_punctuation(char c) { return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~'); }

// One mark at a word's end, else one at its beginning, stands alone.
std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    for (const std::string_view word : python_split(text)) {
        const std::size_t n = word.size();
        if (n > tok::character_size(word[0]) && is_ascii_punctuation(word[n - 1])) {
            words.emplace_back(word.substr(0, n - 1));
            words.emplace_back(word.substr(n - 1));
        } else if (n > tok::character_size(word[0]) && is_ascii_punctuation(word[0])) {
            words.emplace_back(word.substr(0, 1));
            words.emplace_back(word.substr(1));
        } else {
            words.emplace_back(word);
        }
    }
    return words;
}

class Chrf : public TextMetric {
  public:
    Chrf(std::string name, std::size_t word_order, bool lowercase) : name_(std::move(name)), word_order_(word_order), lowercase_(lowercase) {}
    std::string name() const override { return name_; }
    std::string signature() const override {
        return std::string("case:") + (lowercase_ ? "lc" : "mixed") + "|eff:yes|nc:6|nw:" + std::to_string(word_order_) + "|space:no|version:2.6.0";
    }
    std::size_t width() const override { return 3 * orders(); }
    // Of several references the (first) one with the largest score counts.
    void statistics(const TextRow& row, double* to) const override {
        const std::string prediction = lowercase_ ? python_lower(row.prediction) : row.prediction;
        const std::vector<char32_t> characters = characters_of(prediction);
        const std::vector<std::string> words = word_order_ == 0 ? std::vector<std::string>() : words_of(prediction);
        std::vector<double> counts(width());
        double best = -1.0;
        for (const std::string& reference : row.references) {
            const std::string expected = lowercase_ ? python_lower(reference) : reference;
            const std::vector<char32_t> expected_characters = characters_of(expected);
            for (std::size_t n = 1; n <= character_order; ++n) add_counts(characters, expected_characters, n, &counts[3 * (n - 1)]);
            if (word_order_ > 0) {
                const std::vector<std::string> expected_words = words_of(expected);
                for (std::size_t n = 1; n <= word_order_; ++n) add_counts(words, expected_words, n, &counts[3 * (character_order + n - 1)]);
            }
            if (const double score = f_score(counts.data(), orders()); score > best) {
                best = score;
                std::copy(counts.begin(), counts.end(), to);
            }
        }
    }
    double value(const double* sums) const override { return f_score(sums, orders()); }

  private:
    std::size_t orders() const { return character_order + word_order_; }

    std::string name_;
    std::size_t word_order_;
    bool lowercase_;
};

}  // namespace

std::unique_ptr<TextMetric> make_chrf(const std::string& name, const MetricOptions& options) {
    if (name == "chrf") return std::make_unique<Chrf>(name, 0, options.lowercase);
    return name == "chrf++" ? std::make_unique<Chrf>(name, 2, options.lowercase) : nullptr;
}

}  // namespace temper
