// The prompts in MLflow's registry: what is registered here is there as well, each version once. The server's versions are known by the hash in their
// tag temper.sha256; what others registered there stays as it is.
#pragma once
#include <string>

#include "runs/prompts.h"

namespace temper {

struct PromptMirror {
    std::int64_t created = 0, known = 0, aliases = 0;
};
// io_error when the server cannot be reached or refuses; what was mirrored before stays, and the next call goes on.
PromptMirror mirror_prompts(const PromptRegistry& registry, const std::string& tracking_uri);

}  // namespace temper
