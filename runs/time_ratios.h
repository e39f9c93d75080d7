// Whether one program is slower than another, from times of the same work taken in turns: robust statistics on the ratios, so that a
// burst of other load on the machine, which meets both, decides nothing.
#pragma once
#include <vector>

namespace temper {

struct RatioVerdict {
    double ratio = 1.0;               // median over rounds of the median ratio of a round
    double lower = 1.0, upper = 1.0;  // of the median of all ratios, two-sided confidence 99.8%, from order statistics
    bool slower = false, faster = false;
};

// rounds[i]: ratios ours / baseline of pairs timed one after the other by one pair of processes. Processes differ in where their memory
// came to lie, so several rounds tell more than longer ones.
// slower: ratio > 1 + threshold, and the lower bound beyond half of it; faster the same way round. No round or an empty one: no verdict.
RatioVerdict judge_ratios(const std::vector<std::vector<double>>& rounds, double threshold);

double median(std::vector<double> values);  // of at least one

}  // namespace temper
