// temper gate: a record passes its rules, or the exit code is 3.
#include "runs/gate.h"

#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/durable.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/gate_report.h"

namespace temper {
namespace {

struct Arguments : FigurePlaces {
    std::string record, baseline, rules, verdict, junit, markdown;
    bool json = false;
};

int run(const Arguments& a) {
    const GateRules rules = read_gate_rules(a.rules);
    const Figures record = read_figures(a.record, a);
    std::optional<Figures> baseline;
    if (!a.baseline.empty()) baseline = read_figures(a.baseline, a);
    const Figures* against = baseline ? &*baseline : nullptr;
    const GateResult result = run_gate(rules, record, against);
    Json verdict = gate_verdict(result, rules, record, against);
    if (!a.verdict.empty()) write_durable(a.verdict, verdict.dump(2) + "\n");
    if (!a.junit.empty()) write_durable(a.junit, gate_junit(verdict));
    if (!a.markdown.empty()) write_durable(a.markdown, gate_markdown(verdict));
    std::printf("%s", gate_table(verdict).c_str());
    if (a.json) {
        verdict["status"] = result.passed() ? "passed" : "failed";
        print_result(verdict);
    }
    return static_cast<int>(result.passed() ? ExitCode::done : ExitCode::gate_failed);
}

}  // namespace

void add_gate(Command& temper) {
    auto a = std::make_shared<Arguments>();
    Command& command = temper.command("gate", "Checks a record against rules and a baseline: exit 0 when it passes, 3 when it does not.");
    command.required(
        "--record", a->record, "RECORD",
        "A run (path, id or a part of the id), a folder of lm-evaluation-harness, a trainer_state.json, mlflow:RUN_ID, or a JSON file of figures.");
    command.option("--baseline", a->baseline, "RECORD", "The same, or NAME@ALIAS of the registry.");
    command.required("--rules", a->rules, "gate.yaml", "What is demanded; keys below.");
    command.option("--verdict", a->verdict, "FILE", "Writes the verdict, by which temper registry promote moves a name.");
    command.option("--junit", a->junit, "FILE", "Writes JUnit XML for a CI system.");
    command.option("--markdown", a->markdown, "FILE", "Writes the table in Markdown.");
    command.option("--output-dir", a->output_dir, "DIR", "Where the runs lie.");
    command.option("--registry", a->registry, "DIR", "Where the registry lies.");
    command.flag("--json", a->json, "The verdict as the last line of stdout.");
    command.footer(gate_rules_help);
    command.runs([a] { return run(*a); });
}

}  // namespace temper
