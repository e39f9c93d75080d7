// One system's answers to evaluation sets: prompts as the model reads them, texts by batched generation or out of an earlier run.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "eval/eval_systems.h"
#include "eval/set_grades.h"
#include "io/comm/comm.h"
#include "kernels/stream.h"

namespace temper {

struct AnswerSettings {
    std::string dtype = "bfloat16";
    std::filesystem::path cache;  // a folder that keeps finished answers; empty: none
};

// (set, answers that are there, answers of this system's sets in all).
using AnswerProgress = std::function<void(const std::string& set, std::int64_t done)>;

// One entry a set, on every rank the same. bad_data with a row's place where it does not make a prompt; requeue where a signal asks to stop.
std::vector<std::vector<SetAnswer>> answer_sets(const EvalSystem& system, const std::vector<EvaluationSet>& sets, Stream& stream, Comm& comm,
                                                const AnswerSettings& settings, const AnswerProgress& progress);

// The answers that an earlier run gave to the rows of a set. bad_data where it lacks one.
std::vector<SetAnswer> answers_of_run(const std::string& run, const EvaluationSet& set);

// What decides the answers of a system beside the rows: hashes of its model, adapter and tokenizer, or of the run's answers.
std::string system_identity(const EvalSystem& system, const std::vector<EvaluationSet>& sets);

}  // namespace temper
