// Passes of a model over rows of tokens, for any number of threads. Model has transformer(), and a Pass made of (model, stream, tokens) with
// run(rows, chosen, results), which writes the results of the chosen rows.
#pragma once
#include "io/jobs.h"
#include "model/row_groups.h"
#include "model/turns.h"

namespace temper {

template <class Model> class ModelPasses {
  public:
    ModelPasses(const Model& model, Stream& stream, std::int64_t batch_tokens)
        : streams_(stream, model.transformer().shared()),
          batch_tokens_(streams_.batch_tokens(batch_tokens)),
          threads_(static_cast<int>(streams_.size())) {
        for (std::size_t i = 0; i < streams_.size(); ++i) passes_.add(std::make_unique<typename Model::Pass>(model, streams_[i], batch_tokens_));
    }

    int threads() const { return threads_; }  // that do not wait for each other
    std::int64_t batch_tokens() const { return batch_tokens_; }
    // On the calling thread; several may call at once.
    void run(const TokenRows& rows, float* results) {
        for (const auto& group : group_rows(rows, 0, rows.size(), batch_tokens_)) pass(rows, group, results);
    }
    // The same on all threads.
    void run_together(const TokenRows& rows, float* results) {
        const auto groups = group_rows(rows, 0, rows.size(), batch_tokens_);
        struct Nothing {};
        run_jobs<Nothing>(threads_, static_cast<std::int64_t>(groups.size()),
                          [&](std::int64_t job, Nothing&) { pass(rows, groups[static_cast<std::size_t>(job)], results); });
    }

  private:
    void pass(const TokenRows& rows, const std::vector<std::size_t>& group, float* results) {
        passes_.with([&](typename Model::Pass& pass) { pass.run(rows, {group.data(), group.size()}, results); });
    }
    PassStreams streams_;
    std::int64_t batch_tokens_;
    int threads_;
    Turns<typename Model::Pass> passes_;
};

}  // namespace temper
