// The embedding model with the one thread that runs it: texts that wait are embedded together. A vector depends on its text alone.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels/stream.h"
#include "model/embedding_model.h"
#include "model/model_passes.h"
#include "serve/config.h"

namespace temper {

class EmbeddingService {
  public:
    explicit EmbeddingService(const ServeConfig& config);
    ~EmbeddingService();

    std::int64_t dimensions() const { return model_.dimensions(); }
    std::string identity() const { return model_.identity(); }
    // The rows of these texts. ApiError 400 for one that is too long, unless texts are to be cut.
    TokenRows encode(const std::vector<std::string>& texts) const;

    // vectors: (rows, dimensions) row by row; or, failed, what went wrong. On the service's thread.
    using Done = std::function<void(const float* vectors, const std::string& failure)>;
    void submit(TokenRows rows, Done done);  // ApiError 503 when the queue is full
    // The first `count` numbers of a vector as a vector of its own: of length 1 again where the whole one is.
    std::vector<float> shortened(const float* vector, std::int64_t count) const;

  private:
    struct Job {
        TokenRows rows;
        Done done;
    };
    void work();
    void run(std::deque<Job>& jobs);

    bool truncate_;
    std::int64_t queue_limit_;
    Stream stream_;
    EmbeddingModel model_;
    ModelPasses<EmbeddingModel> passes_;
    std::string prompt_;
    std::int32_t skipped_;

    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::deque<Job> queue_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace temper
