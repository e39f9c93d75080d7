// Everything a run reads before its first step. Internal to train/.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "io/comm/comm.h"
#include "model/decoder.h"
#include "model/model_files.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"
#include "train/memory_plan.h"
#include "train/trainer.h"
#include "train/training_data.h"
#include "train/training_job.h"
#include "train/training_reporter.h"

namespace temper {

struct TrainingInputs {
    TrainKind kind = TrainKind::sft;
    std::unique_ptr<ModelFiles> base, model;  // model: as lora.modules_to_save extends it, which reads from base
    LoraLayout lora;
    Decoder::Options decoder_options;
    std::unique_ptr<TrainingData> train, eval;  // eval: null without such rows
    StepBounds bounds;
    MemoryPlan plan;
    Activations::Keep keep = Activations::Keep::all;  // as train.gradient_checkpointing says, or the plan
    double peak_learning_rate = 0.0;
    std::string config_hash, resolved_yaml;
    Json resolved;
    std::optional<Tokenizer> tokenizer;
    std::string chat_template;  // that data.chat_template, or else lora.init_adapter, has in place of the model's
    std::string data_hash() const { return train->hash(); }
    std::string eval_hash() const { return eval ? eval->hash() : ""; }
};

TrainingInputs read_inputs(const TrainingOptions& options, Comm& comm, const Stream& stream);
// What the run learns from, with buffers for its largest micro-batch.
std::unique_ptr<Objective> make_objective(const TrainingInputs& inputs, const Config& config, Decoder& decoder);
// How to make that of the evaluation data, with buffers for forward passes, for as long as it is wanted; empty where there are none.
std::function<std::shared_ptr<Objective>()> evaluation_of(const TrainingInputs& inputs, const Config& config, Decoder& decoder);
void report_inputs(const TrainingInputs& inputs, TrainingReporter& reporter);
// Usage error when the ranks of this host or device need more memory than there is, with what would fit; a dry run is only warned.
void check_memory(const TrainingInputs& inputs, const TrainingOptions& options, Comm& comm, const Stream& stream, TrainingReporter& reporter);
Json dry_run_json(const TrainingInputs& inputs);
void fill_record(RunRecord& record, const TrainingOptions& options, const TrainingInputs& inputs, const Comm& comm, const Stream& stream);

}  // namespace temper
