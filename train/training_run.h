// A training run after its inputs are known: where it continues, what it writes and when. Internal to train/.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runs/metrics_journal.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"
#include "runs/trackers/tracking.h"
#include "train/checkpoint_writer.h"
#include "train/trainer.h"
#include "train/training_job.h"
#include "train/training_reporter.h"

namespace temper {

// Averages between two logged steps; kept in the checkpoint so that a resumed run logs the same figures.
struct LogWindow {
    double loss = 0.0;
    std::int64_t steps = 0;
    LeafSums sums;
};

// The loop's own place in the run, as the checkpoint's cursor keeps it.
struct RunCursor {
    std::int64_t num_tokens = 0;  // real tokens seen, prompts included
    std::int64_t metrics_bytes = 0;
    LogWindow window;
    Json unlogged = Json::object();  // the line of the window's last step
    std::optional<double> best_metric;
    std::int64_t best_step = 0, evaluations_without_gain = 0;
    Json best_evaluation = Json::object();  // the metrics of the evaluation at best_step
    std::int64_t evaluated_step = 0;        // of the last whole evaluation
    std::string model_sample, layout, data_hash, reference, isa, build;
    std::string start;                     // SHA-256 of what an adapter that starts from the weights starts from, else empty
    std::optional<std::string> eval_hash;  // "": no evaluation data; absent in checkpoints of earlier versions
};
Json to_json(const RunCursor& cursor);
RunCursor cursor_from_json(const Json& json);

class TrainingRun {
  public:
    struct Parts {
        const TrainingOptions& options;
        Comm& comm;
        Trainer& trainer;
        const Decoder& decoder;
        const Objective& objective;
        std::function<std::shared_ptr<Objective>()> evaluation;  // for as long as an evaluation takes; empty without its data
        const Tokenizer& tokenizer;
        const std::string& chat_template;  // in place of the model's, else empty
        const std::string& algorithms;     // for checkpoints (train/algorithms.h)
        const std::vector<float>& start;   // of an adapter that starts from the weights, else empty
        TrainingReporter& reporter;
        RunDirectory* directory;  // rank 0 only, else null
        CheckpointStore* store;
        MetricsJournal* journal;
        RunRecord* record;
        Tracking& tracking;
    };
    TrainingRun(Parts parts, RunCursor cursor, std::int64_t first_step);

    // The figures of rows logged before a resume, so that the record of a resumed run is whole.
    void restore_metrics(const std::vector<Json>& rows);
    // Runs to the end or to a stop; true when the run is complete.
    bool train();
    // The adapter and the record of a complete run. peak_flops is the measured peak of all ranks together, FLOP/s;
    // peak_memory and peak_device_memory the largest of any rank, bytes. Rank 0 only.
    void finish(double peak_flops, std::int64_t peak_memory, std::int64_t peak_device_memory);
    const Json& final_metrics() const { return final_metrics_; }
    double tokens_per_second() const;
    const std::string& ending() const { return ending_; }  // why a complete run made fewer steps than it might; else empty

  private:
    void log_step(std::int64_t done, const StepOutcome& outcome, double seconds);
    void log_window();                 // the line of the steps since the last one
    void append(const Json& metrics);  // to the journal, while this job owns the run
    bool evaluation_due() const;       // after the step that is done, and not made yet
    bool evaluate(std::int64_t done);  // false when a signal cut it short
    bool stop();                       // saves; what train() returns then
    void save(std::int64_t done);      // beside the steps that follow
    void finish_saving();              // all that was saved is written
    bool keep_going(std::int64_t done) const;
    void watch_memory();  // a device's is taken before the second step, or the plan was wrong

    Parts p_;
    std::optional<StateCopy> copy_;  // with a store
    std::optional<CheckpointWriter> writer_;
    RunCursor cursor_;
    std::int64_t step_, saved_step_ = -1;
    Json final_metrics_ = Json::object();
    std::string ending_;
    double step_seconds_ = 0.0, step_flops_ = 0.0;
    std::int64_t step_tokens_ = 0, device_allocations_ = -1;
};

}  // namespace temper
