// AOT, arXiv 2406.05882: the distribution of rewards of chosen completions is to dominate that of the others, so the batch is sorted. Equal
// numbers keep the order of their pairs.
#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "train/losses/methods.h"

namespace temper {
namespace {

struct Sorted {
    std::vector<double> values;      // ascending
    std::vector<std::size_t> pairs;  // where each comes from
};

Sorted sorted(const std::vector<double>& values) {
    Sorted result;
    result.pairs.resize(values.size());
    std::iota(result.pairs.begin(), result.pairs.end(), std::size_t(0));
    std::stable_sort(result.pairs.begin(), result.pairs.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    for (const std::size_t pair : result.pairs) result.values.push_back(values[pair]);
    return result;
}

std::vector<double> difference(Span<const double> a, Span<const double> b) {
    std::vector<double> result(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
    return result;
}

bool has_nan(const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
}

// NaN has no place in an order: then the whole batch is NaN, and the step stops.
bool spoiled(const std::vector<double>& a, const std::vector<double>& b, const PreferenceResults& results) {
    if (!has_nan(a) && !has_nan(b)) return false;
    for (const Span<double>& values : {results.loss, results.d_chosen, results.d_rejected})
        std::fill(values.begin(), values.end(), std::numeric_limits<double>::quiet_NaN());
    return true;
}

Dual logistic(const Dual& x, const PreferenceNumbers& n) {
    return -(1.0 - n.label_smoothing) * log_sigmoid(n.beta * x) - n.label_smoothing * log_sigmoid(-(n.beta * x));
}

// The k-th largest margin of the policy against the k-th largest of the reference.
void aot(const PreferenceBatch& batch, const PreferenceNumbers& n, double weight, const PreferenceResults& results) {
    const std::vector<double> policy = difference(batch.policy_chosen, batch.policy_rejected),
                              reference = difference(batch.reference_chosen, batch.reference_rejected);
    if (spoiled(policy, reference, results)) return;
    const Sorted margins = sorted(policy), anchors = sorted(reference);
    const double share = weight / static_cast<double>(policy.size());
    for (std::size_t k = 0; k < policy.size(); ++k) {
        const std::size_t pair = margins.pairs[k];
        const Dual loss = share * logistic(Dual(margins.values[k], 1.0, -1.0) - anchors.values[k], n);
        results.loss[pair] += loss.value;
        results.d_chosen[pair] += loss.d_chosen;
        results.d_rejected[pair] += loss.d_rejected;
    }
}

// The k-th largest reward of a chosen completion against the k-th largest of a rejected one, whatever their prompts.
void aot_unpaired(const PreferenceBatch& batch, const PreferenceNumbers& n, double weight, const PreferenceResults& results) {
    const std::vector<double> chosen = difference(batch.policy_chosen, batch.reference_chosen),
                              rejected = difference(batch.policy_rejected, batch.reference_rejected);
    if (spoiled(chosen, rejected, results)) return;
    const Sorted better = sorted(chosen), worse = sorted(rejected);
    const double share = weight / static_cast<double>(chosen.size());
    for (std::size_t k = 0; k < chosen.size(); ++k) {
        const Dual loss = share * logistic(Dual(better.values[k], 1.0, 0.0) - Dual(worse.values[k], 0.0, 1.0), n);
        results.loss[better.pairs[k]] += loss.value;
        results.d_chosen[better.pairs[k]] += loss.d_chosen;
        results.d_rejected[worse.pairs[k]] += loss.d_rejected;
    }
}

constexpr PreferenceMethod methods[] = {
    // name, needs_reference, knows_label_smoothing, knows_divergence, takes_means
    {"aot", true, true, false, false, nullptr, aot},
    {"aot_unpaired", true, true, false, false, nullptr, aot_unpaired},
};

}  // namespace

Span<const PreferenceMethod> optimal_transport_methods() { return {methods, std::size(methods)}; }

}  // namespace temper
