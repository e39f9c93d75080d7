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
    std::error_code unknown;
    if (std::filesystem::is_directory(source.path, unknown)) return std::filesystem::exists(source.path + "/state.json", unknown) ? "rows" : "folder";
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

// What could not be read: a document by its id, the documents of a folder ("docs/api/"), or whatever a source has that was not given.
struct Unread {
    std::string source, id;
    bool holds(const Document& document) const {
        if (document.source != source && !document.source.empty()) return false;  // older stores do not tell it
        return id.empty() || document.id == id || (id.ends_with('/') && document.id.starts_with(id));
    }
};

// The store's documents, each with the source that gave it.
void read_stored(const CategoryStore& category, const std::function<void(Document)>& take) {
    if (!std::filesystem::exists(category.documents())) return;
    JsonlReader rows(category.documents(), {std::size_t(1) << 30, 128});
    for (Json row; rows.next(row);) {
        Document document;
        document.id = row.value("id", "");
        document.category = category.category();
        document.source = row.value("source", "");
        document.form = form_of_name(row.value("form", "")).value_or(TextForm::text);
        document.metadata = row.value("metadata", Json::object());
        document.text = row.value("text", "");
        document.place = rows.place();
        take(std::move(document));
    }
}

class Taker {
  public:
    Taker(const FeaturesConfig& config, Intake& intake) : config_(config), intake_(intake) {}

    void begin_source(const std::string& path) {
        source_ = path;
        hash_.emplace();
        given_ = 0;
    }

    void take(Document document) {
        document.source = source_;
        CategoryIntake& category = count(document.category, source_);
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
        const std::int64_t characters = characters_of(document.text);
        if (characters > 0 && characters >= config_.cleaning.min_characters) {
            category.documents.push_back(std::move(document));
            return;
        }
        ++intake_.empty;
        intake_.rejected.push_back(
            {document.id, document.place,
             characters == 0 ? "empty: no text is left after cleaning"
                             : fmt::format("empty: {} characters, cleaning.min_characters is {}", characters, config_.cleaning.min_characters)});
    }

    void reject(const Document& document, const Error& error) {
        const bool readable = error.code() == ExitCode::bad_data;
        if ((!readable && !is_unreadable(error)) || config_.on_bad_document == "fail") throw error;
        log_warning("passed over: {}", error.what());
        intake_.rejected.push_back({document.id, document.place, error.what()});
        const bool folder = document.id.ends_with('/');
        if ((folder || !readable) && !document.id.empty()) unread_.push_back({source_, document.id});
    }

    // The source cannot be read on: what it has beyond that is not known.
    void break_off() {
        log_warning("{}: not read to its end; documents that the store has of it stay", source_);
        unread_.push_back({source_, ""});
    }

    // No rights, a failing disk, or gone since it was listed: the document may be what it was.
    static bool is_unreadable(const Error& error) { return error.code() == ExitCode::io_error || error.code() == ExitCode::missing_input; }

    void end_source() { intake_.sources.push_back({source_, hash_->hex(), given_}); }

    void keep_unread(const FeatureStore& store) {
        if (unread_.empty()) return;
        for (const std::string& name : store.categories())
            read_stored(store.category(name), [&](Document document) {
                const auto unread = std::find_if(unread_.begin(), unread_.end(), [&](const Unread& candidate) { return candidate.holds(document); });
                if (unread == unread_.end() || !ids_[name].insert(document.id).second) return;
                count(name, document.source).documents.push_back(std::move(document));
                ++intake_.kept;
            });
    }

  private:
    CategoryIntake& count(const std::string& name, const std::string& source) {
        CategoryIntake& category = intake_.categories[name];
        ++category.given;
        if (gave_.insert({name, source}).second) ++category.sources;
        return category;
    }

    const FeaturesConfig& config_;
    Intake& intake_;
    std::string source_;
    std::set<std::pair<std::string, std::string>> gave_;  // categories, and sources that gave documents to them
    std::optional<Sha256> hash_;
    std::int64_t given_ = 0;
    std::map<std::string, std::set<std::string>> ids_;
    std::vector<Unread> unread_;
};

// Null where the source cannot be read at all. One that is not there is a mistake of the configuration, or of whoever mounts it.
std::unique_ptr<DocumentSource> open_or_reject(const FeatureSource& source, const FeaturesConfig& config, const FeatureStore& store,
                                               const std::function<bool()>& stop, Taker& taker) {
    Document whole;
    whole.place = source.path;
    try {
        return open_source(source, config, store, stop);
    } catch (const std::filesystem::filesystem_error& error) {
        taker.reject(whole, Error(ExitCode::io_error, error.what()));
    } catch (const Error& error) {
        if (error.code() == ExitCode::missing_input || kind_of(source) == "urls") throw;
        taker.reject(whole, error);
    }
    taker.break_off();
    return nullptr;
}

}  // namespace

Intake take_in(const FeaturesConfig& config, const FeatureStore& store, const std::function<bool()>& stop) {
    Intake intake;
    for (const std::string& name : config.categories) intake.categories[name];
    Taker taker(config, intake);
    Progress progress("documents", 0);
    std::int64_t count = 0;
    for (const FeatureSource& source : config.sources) {
        taker.begin_source(source.path);
        const std::unique_ptr<DocumentSource> documents = open_or_reject(source, config, store, stop, taker);
        std::string last_error;
        for (bool more = documents != nullptr; more;) {
            if (stop()) {
                intake.complete = false;
                return intake;
            }
            Document document;
            try {
                more = documents->next(document);
            } catch (const Error& error) {
                more = error.what() != last_error;  // else the source stands still: it cannot be read on
                if (more) taker.reject(document, error);
                else taker.break_off();
                last_error = error.what();
                continue;
            }
            if (more) taker.take(std::move(document));
            if (more) progress.update(++count, 0);
        }
        taker.end_source();
        if (documents)
            for (const auto& [reason, number] : documents->passed_over()) intake.passed_over[reason] += number;
    }
    intake.complete = !stop();  // a source that was told to stop gave less than it has
    if (intake.complete) taker.keep_unread(store);
    return intake;
}

}  // namespace temper
