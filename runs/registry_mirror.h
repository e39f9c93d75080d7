// The registry in MLflow's: registered models, their versions and aliases. A version is known there by its tags temper.run_id and
// temper.adapter_sha256, so that it is made once however often this is called or cut off; what others registered there stays as it is.
#pragma once
#include <string>
#include <vector>

#include "runs/registry.h"

namespace temper {

struct RegistryMirror {
    std::int64_t created = 0, known = 0, aliases = 0, tags = 0;
    std::vector<std::string> problems;  // what is not there yet, and why; the next call goes on
    Json to_json() const;
};

// The models of these names. Of one process at a time; `seconds`: time for all of it. usage unless the URI is one of http or https.
RegistryMirror mirror_registry(const Registry& registry, const std::vector<std::string>& names, const std::string& tracking_uri, double seconds);

}  // namespace temper
