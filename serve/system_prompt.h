// The system text of chats that bring none: a registered prompt, followed when its alias moves.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "runs/prompts.h"
#include "serve/config.h"
#include "serve/metrics.h"
#include "serve/repeated.h"
#include "serve/scheduler.h"

namespace temper {

struct SystemPrompt {
    std::string name, sha256, text;  // sha256: of the whole registered prompt, as temper prompts tells it
    std::int64_t version = 0;
};

// A template is the text; of turns the first, which must be the system's, is. usage for what is no fixed text: a prompt with variables.
SystemPrompt system_prompt_of(const Prompt& prompt);

class SystemPromptWatch {
  public:
    // What `config.system_prompt` stands for now: missing_input, bad_data, usage; also where the model's chat template or context does not take it.
    SystemPromptWatch(const ServeConfig& config, const Scheduler& scheduler, Metrics& metrics);

    std::shared_ptr<const SystemPrompt> now() const;  // for new requests

  private:
    std::shared_ptr<const SystemPrompt> resolve() const;
    void look();

    const ServeConfig& config_;
    const Scheduler& scheduler_;
    Metrics& metrics_;
    mutable std::mutex mutex_;  // of served_
    std::shared_ptr<const SystemPrompt> served_;
    std::string last_complaint_;
    Repeated watch_;  // last: it uses the others
};

}  // namespace temper
