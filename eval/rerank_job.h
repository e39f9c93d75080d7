// `temper rerank`: scores of documents for queries by a cross-encoder, in the order of the rows. A pair's score depends on the pair alone.
#pragma once
#include <string>

#include "runs/job_record.h"

namespace temper {

struct RerankOptions : JobOptions {
    std::string model, input, output, dtype = "float32";
    std::int64_t batch_tokens = 0, max_length = 0, top_k = 0;
};
// Returns the exit code: 0 done, 75 stopped by a signal with the parts saved. Everything else is an Error.
int run_rerank_job(const RerankOptions& options);

}  // namespace temper
