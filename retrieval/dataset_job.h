// `temper dataset`: rows for fine-tuning, made from the chunks of a store by a model behind an endpoint. Each chunk is asked about once, and once more
// where the answer cannot be used; answers are kept (answer_journal.h) before anything is made of them, and the rows follow from them and the
// configuration alone, whatever the order in which they came.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "io/jsonl.h"
#include "retrieval/dataset_config.h"
#include "runs/record_options.h"

namespace temper {

struct DatasetOptions : RecordOptions {
    DatasetConfig config;
    std::string resume = "auto";  // auto: the newest run of this name, these settings and this store goes on; no
    bool json = false;
};

struct DatasetOutcome {
    int exit_code = 0;  // done, or requeue where it was stopped
    Json result;        // run_id, run_dir, status, metrics
};

// In a run directory: answers.jsonl, data/train.jsonl, data/test.jsonl, run.json. `stop` is asked before each question.
DatasetOutcome run_dataset_job(const DatasetOptions& options, const std::function<bool()>& stop);

}  // namespace temper
