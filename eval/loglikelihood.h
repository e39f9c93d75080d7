// Log-probabilities of continuations behind their contexts. Requests that begin with the same tokens compute these once; requests are laid end to
// end without padding. By the row law a request's numbers depend neither on what it shares nor on its neighbours, the batch or the ranks.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "io/comm/comm.h"
#include "model/decoder.h"

namespace temper {

struct LoglikelihoodRequest {
    std::vector<std::int32_t> context;       // one token or more
    std::vector<std::int32_t> continuation;  // one token or more
};

struct Loglikelihood {
    double sum = 0.0;     // of the continuation's log-probabilities
    bool greedy = false;  // every token of it was the (first) likeliest
};

// Requests that share the first `prefix` tokens of their inputs (context and continuation without its last token). Equal inputs stand one behind the
// other and are computed once: of a question with choices of one token, a group holds the examples once, each question once, and no choice.
struct RequestGroup {
    std::vector<std::size_t> requests;
    std::vector<bool> repeats;                        // of each request: its input is that of the request before it
    std::int64_t prefix = 0, tokens = 0, labels = 0;  // tokens: that are computed
};
// Groups of at most `most_tokens` tokens, or of one request, that need few tokens in all; the largest first. Contexts that are too long lose
// their beginning, so that no input is longer than max_length.
std::vector<RequestGroup> group_requests(Span<const LoglikelihoodRequest> requests, std::int64_t max_length, std::int64_t most_tokens);

struct LoglikelihoodSettings {
    std::int64_t max_length = 2048;                                           // tokens that the model sees of a request
    std::int64_t batch_tokens = 4096;                                         // tokens in one pass
    std::function<void(std::size_t request, const Loglikelihood&)> finished;  // told of each request of this rank after its pass
};
// In the order of the requests, on every rank the same. progress gets (tokens done, tokens of this rank in all). usage Error where a request is
// empty; bad_data where a continuation alone is longer than max_length.
std::vector<Loglikelihood> loglikelihoods(const Decoder& decoder, Comm& comm, Span<const LoglikelihoodRequest> requests,
                                          const LoglikelihoodSettings& settings, const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace temper
