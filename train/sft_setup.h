// Everything a run of `temper sft` reads before its first step. Internal to train/.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "io/comm/comm.h"
#include "model/decoder.h"
#include "model/model_files.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"
#include "train/dataset.h"
#include "train/memory_plan.h"
#include "train/sft.h"
#include "train/sft_reporter.h"
#include "train/trainer.h"

namespace temper {

struct SftInputs {
    std::unique_ptr<ModelFiles> base, model;  // model: as lora.modules_to_save extends it, which reads from base
    LoraLayout lora;
    Decoder::Options decoder_options;
    std::optional<TokenDataset> train, eval;
    StepBounds bounds;
    MemoryPlan plan;
    Activations::Keep keep = Activations::Keep::all;  // as train.gradient_checkpointing says, or the plan
    double peak_learning_rate = 0.0;
    std::string config_hash, resolved_yaml;
    Json resolved;
    std::optional<Tokenizer> tokenizer;
    std::string data_hash() const { return train->hash(); }
};

SftInputs read_inputs(const SftOptions& options, Comm& comm, const Stream& stream);
void report_inputs(const SftInputs& inputs, SftReporter& reporter);
// Usage error when the ranks of this host need more memory than there is; a dry run is only warned.
void check_memory(const SftInputs& inputs, const SftOptions& options, Comm& comm, SftReporter& reporter);
Json dry_run_json(const SftInputs& inputs);
void fill_record(RunRecord& record, const SftOptions& options, const SftInputs& inputs, const Comm& comm, const Stream& stream);

}  // namespace temper
