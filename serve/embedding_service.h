// The embedding model with the one thread that runs it, a few rows at a time, of every request in turn: what is asked for late, or by nobody any
// more, ends between two passes, and a short request does not wait for all of a long one. A vector depends on its text alone.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels/stream.h"
#include "model/embedding_model.h"
#include "model/model_passes.h"
#include "serve/api_error.h"
#include "serve/config.h"

namespace temper {

// Who asked. Called on the service's thread; must not wait.
class EmbeddingAnswer {
  public:
    virtual ~EmbeddingAnswer() = default;
    virtual bool wanted() = 0;                    // false: nobody waits for it any more, and whoever asked has been told
    virtual void done(const float* vectors) = 0;  // (rows, dimensions), row by row
    virtual void failed(const ApiError& error) = 0;
};

class EmbeddingService {
  public:
    explicit EmbeddingService(const ServeConfig& config);
    ~EmbeddingService();  // what is not answered fails

    std::int64_t dimensions() const { return model_.dimensions(); }
    std::string identity() const { return model_.identity(); }
    // The rows of these texts. ApiError 400 for one that is too long, unless texts are to be cut.
    TokenRows encode(const std::vector<std::string>& texts) const;

    void submit(TokenRows rows, std::shared_ptr<EmbeddingAnswer> answer);  // ApiError 503 when too many are under way
    // The first `count` numbers of a vector as a vector of its own: of length 1 again where the whole one is.
    std::vector<float> shortened(const float* vector, std::int64_t count) const;

  private:
    struct Job {
        TokenRows rows;
        std::shared_ptr<EmbeddingAnswer> answer;
        std::vector<float> vectors;
        std::size_t taken = 0;  // rows that have their vectors, or get them in the pass under way
    };
    // Rows of one pass, and whose they are.
    struct Share {
        TokenRows rows;
        std::vector<std::pair<Job*, std::size_t>> owners;
    };
    void work();
    void drop_unwanted();
    void fill(Share& share);
    void run_share();
    void fail(const Share& share, const ApiError& failure);
    void give_vectors(const Share& share, const std::vector<float>& vectors);

    bool truncate_;
    std::int64_t most_jobs_;
    Stream stream_;
    EmbeddingModel model_;
    ModelPasses<EmbeddingModel> passes_;
    std::string prompt_;
    std::int32_t skipped_;
    std::int64_t share_tokens_;
    std::list<Job> jobs_;  // under way, in the order of asking; of the thread alone

    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::list<Job> queue_;
    std::int64_t under_way_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace temper
