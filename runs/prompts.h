// Prompts under names: YAML files, told apart by the hash of what a model would read. PROMPTS/NAME is a version store (runs/version_store.h).
//
//   name: ticket-judge
//   description: What changed, in a line.          # optional
//   template: |                                    # a text with {{ variables }}, or
//     Is this right? {{ answer }}
//   messages:                                      # turns
//     - {role: system, content: ...}
//   tags: {team: shop}                             # optional
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "runs/version_store.h"

namespace temper {

struct Prompt {
    std::string name, description, created_at;
    std::int64_t version = 0;  // 0: not registered
    Json body;                 // a text, or messages [{role, content}]
    std::map<std::string, std::string> tags;

    bool chat() const { return body.is_array(); }
    std::string sha256() const;                  // of the body alone
    std::vector<std::string> variables() const;  // in the order of their names
    std::string yaml() const;                    // as read_prompt reads it
    Json to_json() const;
    static Prompt from_json(const Json& json, const std::string& place);  // bad_data, also where the hash does not fit the body
};

// Usage errors name file, line and column.
Prompt read_prompt(const std::filesystem::path& file);

class PromptRegistry {
  public:
    explicit PromptRegistry(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::vector<std::string> names() const;
    VersionStore store(const std::string& name) const;     // usage: no plain name
    VersionStore existing(const std::string& name) const;  // missing_input names the nearest one
    Prompt version(const std::string& name, std::int64_t number) const;
    // NAME@ALIAS, NAME:VERSION, NAME#BEGIN_OF_SHA256, or NAME: the newest.
    Prompt resolve(const std::string& reference) const;

    // A body that a version has already is that version.
    Prompt add(Prompt prompt) const;
    Prompt point(const std::string& name, const std::string& alias, std::int64_t version) const;

  private:
    std::filesystem::path folder_;
};

// What a setting "alias:NAME@ALIAS" (or alias:NAME:VERSION, alias:NAME#SHA256) names, in the registry that TEMPER_PROMPTS names, else prompts/. None for
// any other setting; usage where it is a prompt of turns.
std::optional<Prompt> referenced_text(const std::string& setting);

// What differs, a line each: "  same", "- only in a", "+ only in b". Empty when the bodies are equal.
std::string prompt_diff(const Prompt& a, const Prompt& b);

}  // namespace temper
