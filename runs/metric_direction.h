// Which way a figure is better, by its name. What a record says of itself (higher_is_better) comes before it.
#pragma once
#include <string>

namespace temper {

// 1: more is better, -1: less is, 0: the name does not tell. The last part counts ("performance.seconds", "task/acc,none"), cut into whole words, and
// of these the noun at the end: an accounting_loss is a loss. A loss_reduction, or a rate of hits and errors both, is left to who knows.
int metric_direction(const std::string& metric);

}  // namespace temper
