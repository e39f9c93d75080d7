// The rows of a run and the objective that is made of them: one class a kind of rows.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "train/data_report.h"
#include "train/objective.h"

namespace temper {

// What a run knows when its decoder is ready.
struct RunBeginning {
    Decoder& decoder;
    Comm& comm;
    const Config& config;
    const std::vector<float>& parameters;                         // the adapter as it is now, which the decoder has
    const std::function<std::vector<float>()>& first_parameters;  // as it was, or will be, before the first step
    const std::function<std::string()>& identity;                 // of the model, the tokenizer and the program that computes
    std::int64_t largest_tokens = 0;                              // of a micro-batch
    const std::function<void(const std::string&)>& say;
};

class TrainingData {
  public:
    virtual ~TrainingData() = default;
    virtual const DataReport& report() const = 0;
    virtual const std::vector<DataSource>& sources() const = 0;
    virtual const std::string& template_sha256() const = 0;  // of the chat template in force, empty when there is none
    virtual const std::string& hash() const = 0;             // of what decides the tokens
    virtual std::vector<RowSize> sizes() const = 0;          // of each row
    // bad_data names the row whose token is none of the model's.
    virtual void check_ids(const ModelConfig& model, const std::string& role) const = 0;

    // Before the first step: what has to be known of all rows. false: a signal asks to stop.
    virtual bool begin(const RunBeginning&) { return true; }
    // After begin(): of what the rows are compared with, where it is read from outside of the run; a resumed run must meet the same.
    virtual std::string reference_identity() const { return ""; }
    // The data, the configuration and the decoder must outlive it.
    virtual std::unique_ptr<Objective> make_objective(Decoder& decoder, const Config& config, ObjectiveSize size) const = 0;
    virtual std::size_t predict_bytes(const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) const = 0;
};

}  // namespace temper
