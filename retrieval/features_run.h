// `temper features` with its run directory and record.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "retrieval/embedder.h"
#include "retrieval/features_config.h"

namespace temper {

struct FeaturesOptions {
    FeaturesConfig config;
    std::vector<std::string> command_line;
    std::map<std::string, std::string> versions;  // of this build and its libraries; "git" names the commit
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
