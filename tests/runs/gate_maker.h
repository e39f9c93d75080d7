// Rules and figures for tests of gates.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "io/durable.h"
#include "runs/figures.h"
#include "runs/gate_rules.h"

namespace temper {

inline GateRules rules_of(const std::filesystem::path& folder, const std::string& text) {
    write_durable(folder / "gate.yaml", text);
    return read_gate_rules(folder / "gate.yaml");
}

inline Figures figures_of(std::map<std::string, double> values) {
    Figures figures;
    figures.source = "json";
    figures.status = "finished";
    figures.values = std::move(values);
    return figures;
}

}  // namespace temper
