// The registry: which run's adapter a name stands for. REGISTRY/NAME is a version store (runs/version_store.h); a version keeps where its
// adapter lies and the hashes of its bytes. A guarded alias moves only by a gate's verdict on that adapter, or back to another that it stood for before.
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
    std::string adapter_config_sha256;                               // of adapter_config.json; empty where an earlier temper registered it
    Json verdict;                                                    // of the gate, sealed; null without one

    bool same_adapter(const RegisteredModel& other) const;  // by the bytes of both files, as far as both are known
    Json to_json() const;
    static RegisteredModel from_json(const Json& json, const std::string& place);  // bad_data
};

// What `alias` stands for now; none where the registry has no such name or alias. Cheap: one small file, replaced by one rename.
std::optional<RegisteredModel> resolve_alias(const std::filesystem::path& registry_dir, const std::string& name, const std::string& alias);
// What became of a promotion.
struct Promotion {
    RegisteredModel model;        // that the alias stands for
    std::int64_t registered = 0;  // version of the run that was promoted; another one where the alias stood for the same bytes already
    bool moved = false;
};

// bad_data when the adapter's bytes or settings are no longer those that were registered, missing_input when they are gone.
void verify_adapter(const RegisteredModel& model);
std::string adapter_sha256_of(const std::filesystem::path& adapter);         // of its adapter_model.safetensors
std::string adapter_config_sha256_of(const std::filesystem::path& adapter);  // of its adapter_config.json; empty where there is none

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
    // usage for a guarded alias. Neither this nor roll_back() moves an alias to an adapter that verify_adapter() refuses.
    RegisteredModel point(const std::string& name, const std::string& alias, std::int64_t version) const;
    // add, then the alias by the verdict; it stays where it stands for these bytes already. gate_failed, with nothing changed: a verdict that failed, that
    // judged another adapter, or that compared with another run's adapter than the one which the alias stands for by now; unless `again`, also an adapter
    // that the alias was rolled back from.
    Promotion promote(const std::string& name, const std::string& alias, const std::filesystem::path& run, const Json& verdict,
                      bool again = false) const;
    // To the newest earlier adapter with other bytes.
    RegisteredModel roll_back(const std::string& name, const std::string& alias) const;

  private:
    std::filesystem::path folder_;
};

}  // namespace temper
