#include "model/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace temper {
namespace {

// Ids by falling logit, equal ones by number; sorted no further than they are asked for, which is mostly a few of many thousands.
class Likeliest {
  public:
    explicit Likeliest(Span<const float> logits) : logits_(logits), order_(logits.size()) { std::iota(order_.begin(), order_.end(), 0); }
    std::int32_t operator[](std::size_t rank) {
        if (rank >= sorted_) sort(std::min(order_.size(), std::max(rank + 1, std::max<std::size_t>(64, 8 * sorted_))));
        return order_[rank];
    }

  private:
    void sort(std::size_t end) {
        const auto larger = [this](std::int32_t a, std::int32_t b) {
            const float x = logits_[static_cast<std::size_t>(a)], y = logits_[static_cast<std::size_t>(b)];
            return x > y || (x == y && a < b);
        };
        const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(sorted_), middle = order_.begin() + static_cast<std::ptrdiff_t>(end);
        if (end < order_.size()) std::nth_element(begin, middle, order_.end(), larger);
        std::sort(begin, middle, larger);
        sorted_ = end;
    }
    Span<const float> logits_;
    std::vector<std::int32_t> order_;
    std::size_t sorted_ = 0;
};

}  // namespace

std::int32_t pick_token(Span<const float> logits, const Sampling& sampling, float u) {
    const float* const largest = std::max_element(logits.begin(), logits.end());
    if (sampling.temperature <= 0.0) return static_cast<std::int32_t>(largest - logits.begin());
    const auto weight = [&](float logit) { return std::exp((static_cast<double>(logit) - static_cast<double>(*largest)) / sampling.temperature); };
    Likeliest likeliest(logits);
    const auto weight_at = [&](std::size_t rank) { return weight(logits[static_cast<std::size_t>(likeliest[rank])]); };
    const bool all = sampling.top_k <= 0 || static_cast<std::size_t>(sampling.top_k) >= logits.size();
    const std::size_t kept = all ? logits.size() : static_cast<std::size_t>(sampling.top_k);
    double total = 0.0;
    if (all) {
        for (const float logit : logits) total += weight(logit);
    } else {
        for (std::size_t rank = 0; rank < kept; ++rank) total += weight_at(rank);
    }
    // top-p: the smallest set of the likeliest tokens whose probabilities reach p.
    double inside = total;
    std::size_t count = kept;
    if (sampling.top_p < 1.0) {
        inside = 0.0;
        for (count = 0; count < kept && (count == 0 || inside < sampling.top_p * total); ++count) inside += weight_at(count);
    }
    double left = static_cast<double>(u) * inside;
    for (std::size_t rank = 0; rank + 1 < count; ++rank) {
        left -= weight_at(rank);
        if (left < 0.0) return likeliest[rank];
    }
    return likeliest[count - 1];
}

}  // namespace temper
