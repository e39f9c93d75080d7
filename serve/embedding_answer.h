// Answers of /v1/embeddings in OpenAI's form.
#pragma once
#include <cstdint>

#include "serve/embedding_request.h"
#include "serve/embedding_service.h"
#include "serve/metrics.h"
#include "serve/served_call.h"

namespace temper {

class ServedVectors final : public EmbeddingAnswer {
  public:
    // dimensions: of each vector of the answer; tokens: of all texts.
    ServedVectors(ServedCall call, EmbeddingRequest request, const EmbeddingService& service, std::int64_t dimensions, std::int64_t tokens,
                  Metrics& metrics);

    bool wanted() override;
    void done(const float* vectors) override;
    void failed(const ApiError& error) override { call_.fail(error); }

  private:
    ServedCall call_;
    EmbeddingRequest request_;
    const EmbeddingService& service_;
    std::int64_t dimensions_, tokens_;
    Metrics& metrics_;
};

}  // namespace temper
