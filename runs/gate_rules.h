// The rules of a gate, from YAML.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace temper {

struct GateRule {
    std::string metric, name, no_worse_by;
    std::optional<double> min, max, level;
    bool not_significantly_worse = false, required = false;
    std::string better = "auto";  // higher, lower

    int line = 0;  // in the file
};

struct GateRules {
    double false_alarm_rate = 0.05;
    std::int64_t resamples = 10000, seed = 1;
    std::vector<GateRule> rules;

    std::string path, sha256;
    // At which a rule is tested: its own, or its share of the rate.
    double level_of(const GateRule& rule) const;
};

// Of no_worse_by: 0.02 is an amount, 2% a share of the baseline.
struct Tolerance {
    double amount = 0.0;
    bool relative = false;
};
Tolerance tolerance_of(const GateRule& rule, const std::string& place);

// Usage errors name file, line and column; unknown keys the nearest known one.
GateRules read_gate_rules(const std::filesystem::path& path);
std::string gate_rules_help();  // every key with its default and meaning, a line each

}  // namespace temper
