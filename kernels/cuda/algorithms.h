// The choices of algorithms (kernels/algorithm_table.h) that a stream's matrix products follow. A run knows its products before its first step: it
// rehearses them, makes what choices are missing, and then no step tries, allocates or waits for one.
#pragma once
#include <functional>
#include <vector>

#include "kernels/algorithm_table.h"
#include "kernels/stream.h"

namespace temper::cuda {

// The products that `work` asks the stream for, each once, ascending. None is computed meanwhile, their results are zeros: what ops leave behind is no
// result.
std::vector<ProductKey> rehearse_products(Stream& stream, const std::function<void()>& work);

// A table without choices, of the stream's library and device.
AlgorithmTable empty_table(Stream& stream);

// The algorithm for a product that is not in a table, by trial: its memory is gone when this returns.
AlgorithmTable::Algorithm choose_algorithm(Stream& stream, const ProductKey& key);

// From now on the stream's products follow the table, and one that is not there is an internal Error: a rank that chose for itself would compute
// other bits than its peers. Without a call a product that is met for the first time is chosen then.
void follow_algorithms(Stream& stream, AlgorithmTable table);

}  // namespace temper::cuda
