#include "retrieval/features_job.h"

#include "retrieval/category_job.h"
#include "retrieval/document_intake.h"
#include "retrieval/list_file.h"

namespace temper {
namespace {

void write_rejected(const FeatureStore& store, const Intake& intake) {
    write_lines(store.rejected(), intake.rejected.size(), [&](const Sink& sink) {
        for (const Intake::Rejected& rejected : intake.rejected)
            sink(line_of({{"id", rejected.id}, {"place", rejected.place}, {"reason", rejected.reason}}));
    });
}

}  // namespace

StageCounts FeaturesResult::total() const {
    StageCounts sum;
    for (const auto& [name, counts] : categories) sum += counts;
    return sum;
}

FeaturesResult make_features(const FeaturesConfig& config, const std::function<std::unique_ptr<Embedder>()>& open_embedder,
                             const std::function<bool()>& stop, const std::function<void(const std::string&)>& begin_stage) {
    const FeatureStore store(config.store);
    const FeatureStore::Lock lock(store);
    FeaturesResult result;
    begin_stage("read");
    Intake intake = take_in(config, store, stop);
    if (!intake.complete) return result;
    write_rejected(store, intake);
    result.rejected = static_cast<std::int64_t>(intake.rejected.size()) - intake.empty;
    result.empty = intake.empty;
    result.kept = intake.kept;
    result.passed_over = intake.passed_over;
    result.sources = intake.sources;
    for (const std::string& gone : store.categories()) intake.categories[gone];  // a category without documents is an empty one
    begin_stage("load");
    const std::unique_ptr<Embedder> embedder = open_embedder();
    for (auto& [name, category] : intake.categories) {
        begin_stage(name);
        CategoryJob job(config, store.category(name), std::move(category));
        const bool done = job.run(*embedder, stop);
        result.categories[name] = job.counts();
        result.embedded += job.embedded();
        if (!done) return result;
    }
    result.complete = true;
    return result;
}

}  // namespace temper
