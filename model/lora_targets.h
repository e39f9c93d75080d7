// Which module an adapter's settings name, and with which rank and alpha, by PEFT's rules. Internal to model/.
#pragma once
#include <string>
#include <vector>

#include "io/path_pattern.h"
#include "model/lora.h"

namespace temper {

// all-linear in any case, given alone, as PEFT takes it.
bool is_all_linear(const ModuleNames& names);

class LoraTargets {
  public:
    explicit LoraTargets(const LoraSettings& settings);
    bool adapts(const std::string& path, std::int64_t layer, bool is_head);
    std::int64_t rank_of(const std::string& path);
    double alpha_of(const std::string& path);
    // Usage error naming a target, an exclusion or a pattern that met no module; `known` completes the message.
    void check_used(const std::string& known) const;

  private:
    struct Key {
        std::string text;
        PathPattern pattern;
        bool used = false;
    };
    bool named(const ModuleNames& names, const std::vector<PathPattern>& pattern, const std::string& path, std::vector<bool>& used,
               bool& whole_path) const;
    bool in_layers(const std::string& path, std::int64_t layer) const;
    static Key* first_match(std::vector<Key>& keys, const std::string& path);

    const LoraSettings& settings_;
    bool all_linear_;
    std::vector<PathPattern> target_pattern_, exclude_pattern_, layers_patterns_;  // the first two: one or none
    std::vector<bool> target_used_, exclude_used_;
    std::vector<Key> rank_keys_, alpha_keys_;
};

}  // namespace temper
