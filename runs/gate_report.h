// A gate's result as a person, a CI system and a registry read it.
#pragma once
#include <string>

#include "runs/figures.h"
#include "runs/gate.h"
#include "runs/gate_rules.h"

namespace temper {

Json gate_verdict(const GateResult& result, const GateRules& rules, const Figures& record, const Figures* baseline);  // sealed
// A line a test of significance: which of the two is better, by how much and how certain that is; empty without such tests.
std::string gate_answer(const Json& verdict);
std::string gate_table(const Json& verdict);  // with the answer below
std::string gate_markdown(const Json& verdict);
std::string gate_junit(const Json& verdict);  // one test case a check, one failure a failed one

}  // namespace temper
