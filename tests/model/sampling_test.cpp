// Draws against a twin that sorts everything.
#include "model/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/random.h"

namespace temper {
namespace {

std::int32_t naive_pick(const std::vector<float>& logits, const Sampling& sampling, float u) {
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto at = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return at(a) > at(b); });
    if (sampling.temperature <= 0.0) return order[0];
    if (sampling.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(sampling.top_k)));
    std::vector<double> weights;
    for (const std::int32_t id : order)
        weights.push_back(std::exp((static_cast<double>(at(id)) - static_cast<double>(at(order[0]))) / sampling.temperature));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::size_t count = 0;
    double inside = 0.0;
    while (count < order.size() && (count == 0 || inside < sampling.top_p * total)) inside += weights[count++];
    double left = static_cast<double>(u) * inside;
    for (std::size_t i = 0; i < count; ++i)
        if ((left -= weights[i]) < 0.0) return order[i];
    return order[count - 1];
}

TEST(PickToken, IsTheDrawOfTheWholeOrder) {
    std::uint64_t draw = 0;
    for (const std::size_t size : {1u, 2u, 63u, 64u, 65u, 5000u})
        for (const float spread : {0.1f, 3.0f, 30.0f})
            for (const double temperature : {0.0, 0.3, 1.0, 2.0})
                for (const std::int64_t top_k : {0, 1, 40, 64, 70, 100000})
                    for (const double top_p : {0.0, 0.5, 0.95, 1.0}) {
                        std::vector<float> logits(size);
                        for (std::size_t i = 0; i < size; ++i) {
                            logits[i] = spread * uniform(3, draw, i);
                            if (i % 3 == 0) logits[i] = std::round(logits[i]);  // some are equal
                        }
                        const float u = uniform(4, 0, draw++);
                        const Sampling sampling{temperature, top_k, top_p, 0};
                        ASSERT_EQ(pick_token({logits.data(), logits.size()}, sampling, u), naive_pick(logits, sampling, u))
                            << size << " " << spread << " " << temperature << " " << top_k << " " << top_p << " " << u;
                    }
}

TEST(PickToken, TakesBothEnds) {
    const std::vector<float> logits = {0.0f, 2.0f, 1.0f};
    const Sampling sampling{1.0, 0, 1.0, 0};
    EXPECT_EQ(pick_token({logits.data(), 3}, sampling, 0.0f), 1);
    EXPECT_EQ(pick_token({logits.data(), 3}, sampling, std::nextafter(1.0f, 0.0f)), 0);
}

}  // namespace
}  // namespace temper
