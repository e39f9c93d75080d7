// All documents of a configuration's sources, cleaned and by category.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "retrieval/document.h"
#include "retrieval/feature_store.h"
#include "retrieval/features_config.h"

namespace temper {

struct CategoryIntake {
    std::vector<Document> documents;  // with a text, each id once
    std::int64_t given = 0;           // by the sources
    std::int64_t sources = 0;         // that gave some
    struct SameId {
        std::string id, place;
    };
    std::vector<SameId> same_ids;  // documents whose id an earlier one has
};

struct Intake {
    std::map<std::string, CategoryIntake> categories;
    struct Source {
        std::string path, sha256;  // of the ids and texts of its documents
        std::int64_t documents = 0;
    };
    std::vector<Source> sources;
    std::map<std::string, std::int64_t> passed_over;
    struct Rejected {
        std::string id, place, reason;
    };
    std::vector<Rejected> rejected;  // empty ones as well
    std::int64_t empty = 0;          // documents without a text, or with too short a one
    std::int64_t kept = 0;           // documents of the store that stay, for their source could not be read
    bool complete = true;            // false: `stop` said so
};

// Documents that cannot be read are rejected, or with on_bad_document "fail" thrown. Where a file, a folder or the rest of a source could not be read,
// what the store has of it stays: nobody knows whether it is gone.
Intake take_in(const FeaturesConfig& config, const FeatureStore& store, const std::function<bool()>& stop);

}  // namespace temper
