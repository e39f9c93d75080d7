// Contexts and continuations as tokens, as lm-evaluation-harness cuts them for a causal model.
#pragma once
#include <string>
#include <vector>

#include "eval/loglikelihood.h"
#include "io/tokenizer/tokenizer.h"

namespace temper {

class RequestEncoder {
  public:
    // usage Error where the tokenizer has neither a first nor an end token.
    explicit RequestEncoder(const Tokenizer& tokenizer);

    // The tokenizer's own special tokens, unless the text begins with the first one already.
    std::vector<std::int32_t> encode(const std::string& text) const;
    // White space at the context's end goes to the continuation, which is what the tokens of both together have behind those of the context alone.
    // bad_data where nothing is left of it.
    LoglikelihoodRequest pair(std::string context, std::string continuation) const;
    // Disjoint windows of a text, each token predicted once; the first window behind the first (or end) token.
    std::vector<LoglikelihoodRequest> windows(const std::string& text, std::int64_t max_length) const;

  private:
    const Tokenizer& tokenizer_;
    std::int32_t prefix_;
    std::string prefix_text_;
};

}  // namespace temper
