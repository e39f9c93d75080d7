// Whether a record is good enough: every rule's checks on its figures, some of them beside a baseline's.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runs/bootstrap.h"
#include "runs/figures.h"
#include "runs/gate_rules.h"

namespace temper {

struct GateCheck {
    std::string name, metric;  // the metric by its full name, where there is one
    std::string kind;          // finished, min, max, no_worse_by, not_significantly_worse, required
    bool passed = false;
    std::string reason;  // why it failed; of a test also what it could have found
    std::optional<double> value, baseline, limit;
    std::optional<double> p_value, level, detectable;  // of tests: the drop found with 80%
    std::optional<PairedComparison> paired;            // in the direction of better
    std::int64_t samples = 0;
};

struct GateResult {
    std::vector<GateCheck> checks;
    bool passed() const;
    std::size_t failed() const;
};

// usage, naming the rule's line: a rule that needs a baseline where there is none, and one whose direction nothing tells.
GateResult run_gate(const GateRules& rules, const Figures& record, const Figures* baseline);

}  // namespace temper
