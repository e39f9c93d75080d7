// Answers of /v1/chat/completions and /v1/completions in OpenAI's form: whole, or as server-sent events while tokens come.
#pragma once
#include <memory>
#include <string>

#include "serve/generation_request.h"
#include "serve/metrics.h"
#include "serve/scheduler.h"
#include "serve/served_call.h"
#include "serve/text_stream.h"

namespace temper {

class ServedAnswer final : public GenerationAnswer {
  public:
    ServedAnswer(ServedCall call, const GenerationRequest& request, std::shared_ptr<const LanguageModel> model, std::int64_t prompt_tokens,
                 Metrics& metrics);

    bool wanted() override;
    bool token(const Generated& so_far, bool last) override;
    void failed(const ApiError& error) override;

  private:
    Json head(bool chunk) const;
    Json whole(const std::string& reason) const;
    Json usage() const;
    void begin();
    void event(const Json& event);
    void text_event(const std::string& text, const Json& reason);
    void finish(const std::string& reason);

    ServedCall call_;
    bool chat_, stream_, include_usage_;
    bool looks_;  // at the text of every token, not of all at the end
    std::string model_name_, id_, fingerprint_;
    std::int64_t created_, prompt_tokens_, made_ = 0;
    std::shared_ptr<const LanguageModel> model_;
    TextStream text_;
    Metrics& metrics_;
    bool begun_ = false, done_ = false;
};

}  // namespace temper
