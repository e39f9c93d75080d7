// Where documents come from: each kind of source gives them one after the other, as they are, and counts what it passes over.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "retrieval/document.h"
#include "retrieval/features_config.h"

namespace temper {

class DocumentSource {
  public:
    virtual ~DocumentSource() = default;
    // False at the end. An Error for one document that cannot be read, or for the files of a folder, whose id then ends with '/': the next call goes
    // on behind it, and `document` has what is known of it: id, place. A source that cannot be read on throws the same Error again.
    virtual bool next(Document& document) = 0;
    // What was passed over, and why: "binary" -> 12.
    const std::map<std::string, std::int64_t>& passed_over() const { return passed_over_; }

  protected:
    std::map<std::string, std::int64_t> passed_over_;
};

// Documents in an order that depends on the source alone. missing_input when there is nothing at its path.
std::unique_ptr<DocumentSource> open_folder(const FeatureSource& source, const CleaningConfig& cleaning);
std::unique_ptr<DocumentSource> open_documents_of_rows(const FeatureSource& source);
// Fetches what `pages` does not hold as it is now; without documents once `stop` said so. `config` outlives it.
std::unique_ptr<DocumentSource> open_pages(const FeatureSource& source, const FeaturesConfig& config, const std::filesystem::path& pages,
                                           const std::function<bool()>& stop);

}  // namespace temper
