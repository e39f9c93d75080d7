// Translation edit rate as sacrebleu 2.6 computes it: insertions, deletions, substitutions and shifts of blocks of words, over the reference's words;
// shifts are searched greedily, within Tercom's limits.                                                                   [Snover et al. 2006]
#include <algorithm>
#include <cmath>
#include <map>

#include "eval/metric_families.h"
#include "eval/python_text.h"

namespace temper {
namespace {

using Words = std::vector<int>;  // numbered: equal words have equal numbers

constexpr std::size_t longest_shift = 10, farthest_shift = 50, most_candidates = 1000;
constexpr std::int64_t beam = 25, unreached = std::int64_t(1) << 50;

enum class Edit : char { keep, substitute, insert, remove };

struct Cell {
    std::int64_t cost = unreached;
    Edit edit = Edit::keep;
};

// Edit distances of hypotheses of one length to a reference, near the diagonal only.
class EditTable {
  public:
    EditTable(const Words& reference, std::size_t length) : reference_(reference), rows_(length + 1, std::vector<Cell>(reference.size() + 1)) {
        for (std::size_t j = 0; j <= reference.size(); ++j) rows_[0][j] = {static_cast<std::int64_t>(j), Edit::insert};
        ratio_ = length == 0 ? 1.0 : static_cast<double>(reference.size()) / static_cast<double>(length);
        width_ = static_cast<double>(beam) < ratio_ / 2.0 ? static_cast<std::int64_t>(std::ceil(ratio_ / 2.0 + static_cast<double>(beam))) : beam;
    }

    // Rows above what the hypothesis shares with the one before it stay.
    std::int64_t distance(const Words& hypothesis) {
        std::size_t first = 0;
        while (filled_ && first < hypothesis.size() && hypothesis[first] == hypothesis_[first]) ++first;
        hypothesis_ = hypothesis;
        filled_ = true;
        for (std::size_t i = first + 1; i <= hypothesis.size(); ++i) fill(i);
        return rows_.back().back().cost;
    }

    // Of the last hypothesis, from its first word on.
    std::vector<Edit> edits() const {
        std::vector<Edit> edits;
        for (std::size_t i = hypothesis_.size(), j = reference_.size(); i > 0 || j > 0;) {
            const Edit edit = rows_[i][j].edit;
            edits.push_back(edit);
            if (edit != Edit::insert) --i;
            if (edit != Edit::remove) --j;
        }
        std::reverse(edits.begin(), edits.end());
        return edits;
    }

  private:
    void fill(std::size_t i) {
        std::vector<Cell>& row = rows_[i];
        const std::vector<Cell>& above = rows_[i - 1];
        std::fill(row.begin(), row.end(), Cell{});
        const auto columns = static_cast<std::int64_t>(reference_.size()) + 1;
        const auto diagonal = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * ratio_));
        const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(0, diagonal - width_));
        const auto end = static_cast<std::size_t>(i == hypothesis_.size() ? columns : std::min(columns, diagonal + width_));
        for (std::size_t j = begin; j < end; ++j) {
            if (j == 0) {
                row[0] = {above[0].cost + 1, Edit::remove};
                continue;
            }
            const bool same = hypothesis_[i - 1] == reference_[j - 1];
            row[j] = {above[j - 1].cost + (same ? 0 : 1), same ? Edit::keep : Edit::substitute};
            if (above[j].cost + 1 < row[j].cost) row[j] = {above[j].cost + 1, Edit::remove};
            if (row[j - 1].cost + 1 < row[j].cost) row[j] = {row[j - 1].cost + 1, Edit::insert};
        }
    }

    const Words& reference_;
    Words hypothesis_;
    bool filled_ = false;
    std::vector<std::vector<Cell>> rows_;  // (hypothesis + 1, reference + 1)
    double ratio_ = 1.0;
    std::int64_t width_ = beam;
};

// Which word of the hypothesis stands at each of the reference (-1: before all of them), and which words of either are wrong.
struct Alignment {
    std::vector<std::int64_t> at;  // a reference word each
    std::vector<bool> reference_wrong, hypothesis_wrong;

    explicit Alignment(const std::vector<Edit>& edits) {
        std::int64_t position = -1;
        for (const Edit edit : edits) {
            if (edit != Edit::insert) {
                ++position;
                hypothesis_wrong.push_back(edit != Edit::keep);
            }
            if (edit != Edit::remove) {
                at.push_back(position);
                reference_wrong.push_back(edit != Edit::keep);
            }
        }
    }
};

Words shifted(const Words& words, std::size_t start, std::size_t length, std::size_t target) {
    Words result;
    const auto add = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < std::min(end, words.size()); ++i) result.push_back(words[i]);
    };
    if (target < start) {
        add(0, target), add(start, start + length), add(target, start), add(start + length, words.size());
    } else if (target > start + length) {
        add(0, start), add(start + length, target), add(start, start + length), add(target, words.size());
    } else {
        add(0, start), add(start + length, length + target), add(start, start + length), add(length + target, words.size());
    }
    return result;
}

bool any(const std::vector<bool>& wrong, std::size_t begin, std::size_t length) {
    const auto from = wrong.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::find(from, from + static_cast<std::ptrdiff_t>(length), true) != from + static_cast<std::ptrdiff_t>(length);
}

struct Shift {
    std::int64_t gain = 0;
    std::size_t length = 0, start = 0, target = 0;
    Words words;
    // More gain, then longer, then earlier, then to an earlier place.
    bool better_than(const Shift& other) const {
        if (gain != other.gain) return gain > other.gain;
        if (length != other.length) return length > other.length;
        if (start != other.start) return start < other.start;
        return target < other.target;
    }
};

class ShiftSearch {
  public:
    ShiftSearch(const Words& hypothesis, const Words& reference) : words_(hypothesis), reference_(reference), table_(reference, hypothesis.size()) {}

    std::int64_t edits() {
        std::int64_t shifts = 0;
        for (;;) {
            const Shift best = best_shift();
            if (candidates_ >= most_candidates || best.gain <= 0) break;
            words_ = best.words;
            ++shifts;
        }
        return shifts + table_.distance(words_);
    }

  private:
    Shift best_shift() {
        const std::int64_t before = table_.distance(words_);
        const Alignment alignment(table_.edits());
        Shift best;
        bool found = false;
        for (std::size_t start = 0; start < words_.size(); ++start)
            for (std::size_t at = 0; at < reference_.size(); ++at) {
                if (std::max(start, at) - std::min(start, at) > farthest_shift) continue;
                for (std::size_t length = 1; length <= longest_shift && start + length <= words_.size() && at + length <= reference_.size() &&
                                             words_[start + length - 1] == reference_[at + length - 1];
                     ++length) {
                    if (!any(alignment.hypothesis_wrong, start, length) || !any(alignment.reference_wrong, at, length)) continue;
                    const std::int64_t aligned = alignment.at[at];
                    if (aligned >= static_cast<std::int64_t>(start) && aligned < static_cast<std::int64_t>(start + length)) continue;
                    try_places(alignment, before, start, at, length, best, found);
                    if (candidates_ >= most_candidates) return best;
                }
            }
        return best;
    }

    // Before the block's first word in the reference, and behind each of its words.
    void try_places(const Alignment& alignment, std::int64_t before, std::size_t start, std::size_t at, std::size_t length, Shift& best,
                    bool& found) {
        std::int64_t last = -1;
        for (std::size_t place = at; place <= at + length; ++place) {
            if (place > reference_.size()) break;
            const std::int64_t target = place == 0 ? 0 : alignment.at[place - 1] + 1;
            if (target == last) continue;
            last = target;
            Shift shift{0, length, start, static_cast<std::size_t>(target), shifted(words_, start, length, static_cast<std::size_t>(target))};
            shift.gain = before - table_.distance(shift.words);
            ++candidates_;
            if (!found || shift.better_than(best)) best = std::move(shift);
            found = true;
        }
    }

    Words words_;
    const Words& reference_;
    EditTable table_;
    std::size_t candidates_ = 0;
};

// Statistics: the fewest edits of any reference, and the references' mean length.
class Ter : public TextMetric {
  public:
    std::string name() const override { return "ter"; }
    std::string signature() const override { return "case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"; }
    bool higher_is_better() const override { return false; }
    std::size_t width() const override { return 2; }
    void statistics(const TextRow& row, double* to) const override {
        std::map<std::string, int> numbers;
        const auto words_of = [&](const std::string& text) {
            const std::string lower = python_lower(text);
            Words words;
            for (const std::string_view word : python_split(lower))
                words.push_back(numbers.emplace(word, static_cast<int>(numbers.size())).first->second);
            return words;
        };
        const Words hypothesis = words_of(row.prediction);
        double fewest = 1e16, length = 0.0;
        for (const std::string& reference : row.references) {
            const Words words = words_of(reference);
            const std::int64_t edits = words.empty() ? static_cast<std::int64_t>(hypothesis.size()) : ShiftSearch(hypothesis, words).edits();
            fewest = std::min(fewest, static_cast<double>(edits));
            length += static_cast<double>(words.size());
        }
        to[0] = fewest;
        to[1] = length / static_cast<double>(row.references.size());
    }
    double value(const double* sums) const override {
        if (sums[1] > 0.0) return 100.0 * (sums[0] / sums[1]);
        return sums[0] > 0.0 ? 100.0 : 0.0;
    }
};

}  // namespace

std::unique_ptr<TextMetric> make_ter(const std::string& name, const MetricOptions&) { return name == "ter" ? std::make_unique<Ter>() : nullptr; }

}  // namespace temper
