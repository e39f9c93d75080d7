// ROUGE as rouge-score 0.1.2 counts it.                          [Lin 2004, "ROUGE: a package for automatic evaluation of summaries", 2, 3]
#include <algorithm>
#include <map>
#include <unordered_map>

#include "eval/metric_families.h"
#include "eval/porter_stemmer.h"
#include "eval/python_text.h"

namespace temper {
namespace {

using Tokens = std::vector<std::string>;

// Runs of a-z and 0-9 of the text in lower case; whatever else there is separates them.
Tokens rouge_tokens(std::string_view text, bool stemmer) {
    Tokens tokens;
    std::string token;
    const auto finish = [&] {
        if (token.empty()) return;
        tokens.push_back(stemmer && token.size() > 3 ? porter_stem(token) : token);
        token.clear();
    };
    for (const char c : python_lower(text))
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) token += c;
        else finish();
    finish();
    return tokens;
}

struct Score {
    double precision = 0.0, recall = 0.0;

    double fmeasure() const { return precision + recall > 0.0 ? 2.0 * precision * recall / (precision + recall) : 0.0; }
};

Score score_ngrams(const Tokens& target, const Tokens& prediction, std::size_t n) {
    const auto count = [n](const Tokens& tokens) {
        std::map<Tokens, std::int64_t> counts;
        for (std::size_t i = 0; i + n <= tokens.size(); ++i)
            ++counts[Tokens(tokens.begin() + static_cast<std::ptrdiff_t>(i), tokens.begin() + static_cast<std::ptrdiff_t>(i + n))];
        return counts;
    };
    const auto total = [n](const Tokens& tokens) { return static_cast<double>(tokens.size() >= n ? tokens.size() - n + 1 : 1); };
    const std::map<Tokens, std::int64_t> expected = count(target), found = count(prediction);
    std::int64_t common = 0;
    for (const auto& [ngram, times] : expected)
        if (const auto match = found.find(ngram); match != found.end()) common += std::min(times, match->second);
    return {static_cast<double>(common) / total(prediction), static_cast<double>(common) / total(target)};
}

// Length of the longest common subsequence of every pair of beginnings: (rows + 1, columns + 1).
class LcsTable {
  public:
    LcsTable(const Tokens& reference, const Tokens& candidate) : columns_(candidate.size() + 1), lengths_((reference.size() + 1) * columns_) {
        for (std::size_t i = 1; i <= reference.size(); ++i)
            for (std::size_t j = 1; j <= candidate.size(); ++j)
                at(i, j) = reference[i - 1] == candidate[j - 1] ? at(i - 1, j - 1) + 1 : std::max(at(i - 1, j), at(i, j - 1));
    }
    std::int32_t& at(std::size_t i, std::size_t j) { return lengths_[i * columns_ + j]; }

  private:
    std::size_t columns_;
    std::vector<std::int32_t> lengths_;
};

Score score_lcs(const Tokens& target, const Tokens& prediction) {
    if (target.empty() || prediction.empty()) return {};
    const double length = LcsTable(target, prediction).at(target.size(), prediction.size());
    return {length / static_cast<double>(prediction.size()), length / static_cast<double>(target.size())};
}

// Marks the reference's tokens that belong to one longest common subsequence: the one that is found going back a row where both ways are as good.
void mark_lcs(const Tokens& reference, const Tokens& candidate, std::vector<bool>& marks) {
    LcsTable table(reference, candidate);
    for (std::size_t i = reference.size(), j = candidate.size(); i > 0 && j > 0;) {
        if (reference[i - 1] == candidate[j - 1]) marks[--i] = true, --j;
        else if (table.at(i, j - 1) > table.at(i - 1, j)) --j;
        else --i;
    }
}

std::vector<Tokens> sentences(const std::string& text, bool stemmer) {
    std::vector<Tokens> lines;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (end > begin) lines.push_back(rouge_tokens(std::string_view(text).substr(begin, end - begin), stemmer));
        begin = end + 1;
    }
    return lines;
}

// Union of the subsequences that a line of the reference shares with each line of the prediction; a token counts as often as both texts have it.
Score score_summary(const std::vector<Tokens>& target, const std::vector<Tokens>& prediction) {
    const auto count = [](const std::vector<Tokens>& lines) {
        std::unordered_map<std::string, std::int64_t> counts;
        for (const Tokens& line : lines)
            for (const std::string& token : line) ++counts[token];
        return counts;
    };
    const auto size = [](const std::vector<Tokens>& lines) {
        std::size_t tokens = 0;
        for (const Tokens& line : lines) tokens += line.size();
        return static_cast<double>(tokens);
    };
    const double expected = size(target), found = size(prediction);
    if (expected == 0.0 || found == 0.0) return {};
    std::unordered_map<std::string, std::int64_t> left_target = count(target), left_prediction = count(prediction);
    double hits = 0.0;
    for (const Tokens& line : target) {
        std::vector<bool> marks(line.size());
        for (const Tokens& candidate : prediction) mark_lcs(line, candidate, marks);
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (!marks[i] || left_prediction[line[i]] == 0 || left_target[line[i]] == 0) continue;
            hits += 1.0;
            --left_prediction[line[i]];
            --left_target[line[i]];
        }
    }
    return {hits / found, hits / expected};
}

enum class Kind : std::uint8_t { ngrams, lcs, summary };
enum class Part : std::uint8_t { fmeasure, precision, recall };

class Rouge : public MeanMetric {
  public:
    Rouge(std::string name, Kind kind, std::size_t order, Part part, bool stemmer)
        : name_(std::move(name)), kind_(kind), order_(order), part_(part), stemmer_(stemmer) {}
    std::string name() const override { return name_; }
    std::string signature() const override { return std::string("stemmer:") + (stemmer_ ? "yes" : "no") + "|version:rouge-score 0.1.2"; }

  protected:
    // Of several references the (first) one with the largest F1 counts.
    double score(const TextRow& row) const override {
        Score best;
        bool first = true;
        for (const std::string& reference : row.references) {
            const Score found = against(reference, row.prediction);
            if (first || found.fmeasure() > best.fmeasure()) best = found;
            first = false;
        }
        return part_ == Part::precision ? best.precision : part_ == Part::recall ? best.recall : best.fmeasure();
    }

  private:
    Score against(const std::string& reference, const std::string& prediction) const {
        if (kind_ == Kind::summary) return score_summary(sentences(reference, stemmer_), sentences(prediction, stemmer_));
        const Tokens target = rouge_tokens(reference, stemmer_), tokens = rouge_tokens(prediction, stemmer_);
        return kind_ == Kind::lcs ? score_lcs(target, tokens) : score_ngrams(target, tokens, order_);
    }

    std::string name_;
    Kind kind_;
    std::size_t order_;
    Part part_;
    bool stemmer_;
};

}  // namespace

std::unique_ptr<TextMetric> make_rouge(const std::string& name, const MetricOptions& options) {
    if (!name.starts_with("rouge")) return nullptr;
    const std::size_t end = std::min(name.find('_'), name.size());
    const std::string variant = name.substr(5, end - 5), suffix = name.substr(end);
    const Part part = suffix == "_precision" ? Part::precision : suffix == "_recall" ? Part::recall : Part::fmeasure;
    if (part == Part::fmeasure && !suffix.empty()) return nullptr;
    const auto make = [&](Kind kind, std::size_t order) { return std::make_unique<Rouge>(name, kind, order, part, options.stemmer); };
    if (variant == "L") return make(Kind::lcs, 0);
    if (variant == "Lsum") return make(Kind::summary, 0);
    if (variant.size() == 1 && variant[0] >= '1' && variant[0] <= '9') return make(Kind::ngrams, static_cast<std::size_t>(variant[0] - '0'));
    return nullptr;
}

}  // namespace temper
