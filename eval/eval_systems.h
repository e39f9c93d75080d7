// What is compared: models, adapters, prompts, or the answers of an earlier run, over the same evaluation sets. From the command line one of them, from
// a matrix several:
//     sets: [tickets.yaml]
//     model: models/smollm2-135m
//     systems:
//       - base                                        # the model as it is
//       - {name: tuned, adapter: runs/…/adapter}
//       - {name: terse, system: "Answer in one word."}
//     baseline: base
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/settings.h"

namespace temper {

struct EvalSystem {
    std::string name, model, adapter;
    std::string run;                                         // an earlier run of the same sets, whose answers are taken as they are
    std::optional<std::string> system, prompt, prompt_file;  // in place of the set's
};

struct EvalMatrix {
    std::string model;  // of systems that name none
    std::vector<std::string> sets;
    std::vector<EvalSystem> systems;
    std::string baseline;  // the first system unless given

    int baseline_index() const;
    Json json() const;
};

// Sets and prompt files are relative to the file, models, adapters and runs to the working directory. usage with file, line and column.
EvalMatrix load_eval_matrix(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace temper
