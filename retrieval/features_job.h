// The feature pipeline: documents from their sources, cleaned, without duplicates, cut into chunks, embedded, saved by category.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "retrieval/document_intake.h"
#include "retrieval/embedder.h"
#include "retrieval/feature_store.h"
#include "retrieval/features_config.h"

namespace temper {

struct FeaturesResult {
    bool complete = false;  // false: stopped by a signal, what was embedded is saved
    std::map<std::string, StageCounts> categories;
    std::vector<Intake::Source> sources;
    std::map<std::string, std::int64_t> passed_over;  // files by reason
    std::int64_t rejected = 0;                        // documents that could not be read
    std::int64_t empty = 0;                           // documents without a text, or with too short a one
    std::int64_t kept = 0;                            // documents of the store whose source could not be read
    std::int64_t embedded = 0;                        // chunks, by this run
    StageCounts total() const;
};

// Makes the store what the sources say. `open_embedder` is called once, when the documents are read; `stop` is asked between batches; `begin_stage` is
// told what comes next: "read", "load" (the model), then each category by its name.
FeaturesResult make_features(const FeaturesConfig& config, const std::function<std::unique_ptr<Embedder>()>& open_embedder,
                             const std::function<bool()>& stop, const std::function<void(const std::string&)>& begin_stage);

}  // namespace temper
