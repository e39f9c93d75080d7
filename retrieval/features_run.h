// `temper features` with its run directory and record.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "io/jsonl.h"
#include "retrieval/embedder.h"
#include "retrieval/features_config.h"
#include "runs/record_options.h"

namespace temper {

struct FeaturesOptions : RecordOptions {
    FeaturesConfig config;
    std::function<std::unique_ptr<Embedder>()> open_embedder;
};

struct FeaturesOutcome {
    int exit_code = 0;  // 75: stopped by a signal, and the same command goes on
    Json result;        // run_id, run_dir, status, metrics
};

FeaturesOutcome run_features(const FeaturesOptions& options);

// What each stage of a store holds: "categories" and "total". missing_input when there is no store.
Json features_status(const std::filesystem::path& store);

}  // namespace temper
