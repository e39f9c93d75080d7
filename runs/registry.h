// The registry: which run's adapter a name stands for. REGISTRY/NAME is a version store (runs/version_store.h); a version keeps where its
// adapter lies and the hash of its bytes. A guarded alias moves only by a gate's verdict on that adapter, or back to what it stood for before.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "runs/version_store.h"

namespace temper {

class RunRecord;

struct RegisteredModel {
    std::string name;
    std::int64_t version = 0;
    std::string run_id, model, adapter, adapter_sha256, created_at;  // model and adapter: absolute paths
    Json verdict;                                                    // of the gate, sealed; null without one

    Json to_json() const;
    static RegisteredModel from_json(const Json& json, const std::string& place);  // bad_data
};

// What `alias` stands for now; none where the registry has no such name or alias. Cheap: one small file, replaced by one rename.
std::optional<RegisteredModel> resolve_alias(const std::filesystem::path& registry_dir, const std::string& name, const std::string& alias);
// bad_data when the adapter's bytes are no longer those that were registered, missing_input when they are gone.
void verify_adapter(const RegisteredModel& model);
std::string adapter_sha256_of(const std::filesystem::path& adapter);  // of its adapter_model.safetensors

// Puts the adapter's bytes into the record of a run that reads them, so that a verdict on the run is one on them.
void add_adapter_data(RunRecord& record, const std::filesystem::path& adapter);

// "production" is guarded.
bool is_guarded(const std::string& alias);

class Registry {
  public:
    explicit Registry(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::vector<std::string> names() const;
    VersionStore store(const std::string& name) const;     // usage: no plain name
    VersionStore existing(const std::string& name) const;  // missing_input names the nearest one
    RegisteredModel version(const std::string& name, std::int64_t number) const;
    // "3", a run's id, or an alias.
    RegisteredModel find(const std::string& name, const std::string& what) const;

    // A finished run with an adapter. The version that has this run and these bytes already is returned as it is.
    RegisteredModel add(const std::string& name, const std::filesystem::path& run, const Json& verdict = nullptr) const;
    // usage for a guarded alias.
    RegisteredModel point(const std::string& name, const std::string& alias, std::int64_t version) const;
    // add, then the alias by the verdict. gate_failed, with nothing changed: a verdict that failed, that judged another adapter, or that compared
    // with another run's adapter than the one which the alias stands for by now.
    RegisteredModel promote(const std::string& name, const std::string& alias, const std::filesystem::path& run, const Json& verdict) const;
    RegisteredModel roll_back(const std::string& name, const std::string& alias) const;

  private:
    std::filesystem::path folder_;
};

}  // namespace temper
