// What temper gate reads of other programs: results up to the first NUL byte with samples behind it, in lm-eval's form; the same bytes as a
// trainer's state, as rules, as a prompt, and as a metric of MLflow's file store.
#include "runs/figures.h"

#include <algorithm>
#include <filesystem>

#include "runs/gate_rules.h"
#include "runs/prompts.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    const auto first = static_cast<std::size_t>(std::find(data, data + size, 0) - data), rest = std::min(size, first + 1);
    const std::filesystem::path results = fuzz_file(data, first, "results.json");
    fuzz_file(data + rest, size - rest, "samples_task.jsonl");
    fuzz_one([&] {
        const Figures figures = read_lm_eval_figures(results);
        for (const auto& [name, value] : figures.values) samples_of(figures, name);
    });
    fuzz_one([&] { read_trainer_figures(results); });
    fuzz_one([&] { read_json_figures(results); });
    fuzz_one([&] { read_gate_rules(results); });
    fuzz_one([&] {
        const Prompt prompt = read_prompt(results);
        const std::string yaml = prompt.yaml();
        if (read_prompt(fuzz_file(reinterpret_cast<const std::uint8_t*>(yaml.data()), yaml.size(), "prompt.yaml")).sha256() != prompt.sha256())
            __builtin_trap();
    });
    const std::filesystem::path run = results.parent_path() / "1" / "aa";
    std::filesystem::create_directories(run / "metrics");
    fuzz_file(data, size, "1/aa/metrics/m");
    fuzz_file(data, first, "1/aa/meta.yaml");
    return fuzz_one([&] { read_mlflow_figures("aa", results.parent_path()); });
}
