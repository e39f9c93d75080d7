#include "retrieval/document_intake.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "io/byte_source.h"
#include "io/log.h"
#include "io/progress.h"
#include "io/sha256.h"
#include "io/unicode.h"
#include "kernels/error.h"
#include "retrieval/clean_text.h"
#include "retrieval/document_source.h"

namespace temper {
namespace {

std::string kind_of(const FeatureSource& source) {
    if (source.kind != "auto") return source.kind;
    const std::string ending = unpacked_name(source.path).extension().string();
    if (ending == ".urls") return "urls";
    if (std::filesystem::is_directory(source.path)) return std::filesystem::exists(source.path + "/state.json") ? "rows" : "folder";
    for (const char* rows : {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".arrow", ".parquet"})
        if (ending == rows) return "rows";
    return "folder";
}

std::unique_ptr<DocumentSource> open_source(const FeatureSource& source, const FeaturesConfig& config, const FeatureStore& store,
                                            const std::function<bool()>& stop) {
    const std::string kind = kind_of(source);
    if (kind == "urls") return open_pages(source, config, store.pages(), stop);
    return kind == "rows" ? open_documents_of_rows(source) : open_folder(source, config.cleaning);
}

std::int64_t characters_of(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char byte) { return !tok::is_continuation(byte); });
}

class Taker {
  public:
    Taker(const FeaturesConfig& config, Intake& intake) : config_(config), intake_(intake) {}

    void take(Document document) {
        CategoryIntake& category = intake_.categories[document.category];
        ++category.given;
        if (gave_.insert(document.category).second) ++category.sources;
        hash_->update(document.id + '\0');
        hash_->update(document.text);
        ++given_;
        if (!ids_[document.category].insert(document.id).second) {
            category.same_ids.push_back({document.id, document.place});
            return;
        }
        try {
            clean_document(document);
        } catch (const Error& error) {
            reject(document, error);
            return;
        }
        if (characters_of(document.text) >= config_.cleaning.min_characters && !document.text.empty())
            category.documents.push_back(std::move(document));
    }

    void reject(const Document& document, const Error& error) {
        if (error.code() != ExitCode::bad_data || config_.on_bad_document == "fail") throw error;
        log_warning("passed over: {}", error.what());
        intake_.rejected.push_back({document.id, document.place, error.what()});
    }

    void end_source(const std::string& path) {
        intake_.sources.push_back({path, hash_->hex(), given_});
        hash_.emplace();
        gave_.clear();
        given_ = 0;
    }

  private:
    const FeaturesConfig& config_;
    Intake& intake_;
    std::set<std::string> gave_;  // categories that the source gave documents to
    std::optional<Sha256> hash_{std::in_place};
    std::int64_t given_ = 0;
    std::map<std::string, std::set<std::string>> ids_;
};

}  // namespace

Intake take_in(const FeaturesConfig& config, const FeatureStore& store, const std::function<bool()>& stop) {
    Intake intake;
    for (const std::string& name : config.categories) intake.categories[name];
    Taker taker(config, intake);
    Progress progress("documents", 0);
    std::int64_t count = 0;
    for (const FeatureSource& source : config.sources) {
        const std::unique_ptr<DocumentSource> documents = open_source(source, config, store, stop);
        std::string last_error;
        for (bool more = true; more;) {
            if (stop()) {
                intake.complete = false;
                return intake;
            }
            Document document;
            try {
                more = documents->next(document);
            } catch (const Error& error) {
                if (error.what() == last_error) throw;  // the source stands still: it cannot be read on
                last_error = error.what();
                taker.reject(document, error);
                continue;
            }
            if (more) taker.take(std::move(document));
            if (more) progress.update(++count, 0);
        }
        taker.end_source(source.path);
        for (const auto& [reason, number] : documents->passed_over()) intake.passed_over[reason] += number;
    }
    intake.complete = !stop();  // a source that was told to stop gave less than it has
    return intake;
}

}  // namespace temper
