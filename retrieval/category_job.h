// One category on its way through the stages: duplicates, chunks, vectors, index, server. Internal to retrieval/.
#pragma once
#include <functional>
#include <string>

#include "retrieval/chunk_vectors.h"
#include "retrieval/document_intake.h"
#include "retrieval/embedder.h"
#include "retrieval/feature_store.h"
#include "retrieval/features_config.h"

namespace temper {

class CategoryJob {
  public:
    using Stop = std::function<bool()>;
    CategoryJob(const FeaturesConfig& config, CategoryStore store, CategoryIntake intake);
    // False: stopped, with what was made so far saved.
    bool run(Embedder& embedder, const Stop& stop);
    const StageCounts& counts() const { return counts_; }
    std::int64_t embedded() const { return embedded_; }

  private:
    void remove_duplicates();
    Collection cut(const Embedder& embedder);
    std::string take_known(KnownVectors& known) const;
    bool make_vectors(Collection& collection, const KnownVectors& known, Embedder& embedder, const Stop& stop);
    bool wants_graph() const;
    bool make_graph(Collection& collection, const Stop& stop) const;
    bool send(const Collection& collection, const Stop& stop);

    const FeaturesConfig& config_;
    CategoryStore store_;
    CategoryIntake intake_;
    StageCounts counts_;
    std::int64_t embedded_ = 0;
};

}  // namespace temper
