#include "retrieval/category_job.h"

#include <algorithm>

#include "io/durable.h"
#include "io/http/http.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "kernels/error.h"
#include "retrieval/chunk_vectors.h"
#include "retrieval/chunking.h"
#include "retrieval/list_file.h"
#include "retrieval/near_duplicates.h"
#include "retrieval/qdrant.h"
#include "retrieval/vector_index.h"

namespace temper {
namespace {

void write_documents(const std::filesystem::path& path, const std::vector<Document>& documents) {
    write_durable(path, [&](const Sink& sink) {
        for (const Document& document : documents)
            sink(line_of({{"id", document.id},
                          {"category", document.category},
                          {"source", document.source},
                          {"form", form_name(document.form)},
                          {"metadata", document.metadata},
                          {"text", document.text}}));
    });
}

}  // namespace

CategoryJob::CategoryJob(const FeaturesConfig& config, CategoryStore store, CategoryIntake intake)
    : config_(config), store_(std::move(store)), intake_(std::move(intake)) {
    counts_.sources = intake_.sources;
    counts_.documents = intake_.given;
    counts_.cleaned = static_cast<std::int64_t>(intake_.documents.size() + intake_.same_ids.size());
}

bool CategoryJob::run(Embedder& embedder, const Stop& stop) {
    std::filesystem::create_directories(store_.path());
    remove_duplicates();
    Collection collection = cut(embedder);
    KnownVectors known(collection.model, collection.dimensions);
    const std::string before = take_known(known);
    if (!make_vectors(collection, known, embedder, stop)) return false;
    const bool unchanged = embedded_ == 0 && !before.empty() && before == chunks_fingerprint(collection) && (known.graph().empty() || wants_graph());
    if (!unchanged) write_collection(store_.collection(), collection);
    store_.remove_parts();
    const bool has_graph = unchanged && !known.graph().empty();
    if (wants_graph() && !has_graph && !make_graph(collection, stop)) return false;
    counts_.indexed = counts_.vectors;
    store_.save(counts_);
    return send(collection, stop);
}

void CategoryJob::remove_duplicates() {
    std::vector<std::string_view> texts;
    for (const Document& document : intake_.documents) texts.emplace_back(document.text);
    const auto duplicates = find_duplicates(texts, {config_.duplicates.near, config_.duplicates.threshold, config_.duplicates.shingle_words});
    write_lines(store_.duplicates(), duplicates.size() + intake_.same_ids.size(), [&](const Sink& sink) {
        for (const CategoryIntake::SameId& same : intake_.same_ids)
            sink(line_of({{"id", same.id}, {"of", same.id}, {"place", same.place}, {"reason", "same id"}}));
        for (const Duplicate& duplicate : duplicates)
            sink(line_of({{"id", intake_.documents[duplicate.document].id},
                          {"of", intake_.documents[duplicate.of].id},
                          {"place", intake_.documents[duplicate.document].place},
                          {"reason", texts[duplicate.document] == texts[duplicate.of] ? "same text" : "near"},
                          {"similarity", duplicate.similarity}}));
    });
    counts_.duplicates = static_cast<std::int64_t>(duplicates.size() + intake_.same_ids.size());
    std::vector<Document> kept;
    std::size_t next = 0;
    for (std::size_t i = 0; i < intake_.documents.size(); ++i) {
        const bool gone = next < duplicates.size() && duplicates[next].document == i;
        if (gone) ++next;
        else kept.push_back(std::move(intake_.documents[i]));
    }
    intake_.documents = std::move(kept);
    write_documents(store_.documents(), intake_.documents);
}

// What the model cuts off would be in no vector: its limit is one of ours.
Collection CategoryJob::cut(const Embedder& embedder) {
    Collection collection;
    collection.category = store_.category();
    collection.model = embedder.identity();
    collection.dimensions = embedder.dimensions();
    collection.normalized = embedder.normalized();
    ChunkSettings settings{config_.chunking.chunk_tokens, config_.chunking.overlap_tokens};
    if (embedder.longest() > 0) settings.chunk_tokens = std::min(settings.chunk_tokens, embedder.longest());
    settings.overlap_tokens = std::min(settings.overlap_tokens, settings.chunk_tokens / 2);
    const CountTokens tokens = [&](const std::string& text) { return embedder.tokens(text); };
    for (Document& document : intake_.documents) {
        std::vector<Chunk> chunks = chunk_document(document, settings, tokens);
        std::move(chunks.begin(), chunks.end(), std::back_inserter(collection.chunks));
        document = Document();
    }
    counts_.chunks = static_cast<std::int64_t>(collection.chunks.size());
    return collection;
}

// Of a stopped run's parts and of the collection as it was, whose fingerprint is returned: empty without one. A damaged file costs its vectors,
// not the run.
std::string CategoryJob::take_known(KnownVectors& known) const {
    std::vector<std::filesystem::path> files = store_.parts();
    if (std::filesystem::exists(store_.collection())) files.push_back(store_.collection());
    std::string last;
    for (const std::filesystem::path& file : files) {
        try {
            const std::string fingerprint = known.add(file);
            if (file == store_.collection()) last = fingerprint;
        } catch (const Error& error) {
            if (error.code() != ExitCode::bad_data) throw;
            log_warning("{}; its chunks are embedded again", error.what());
        }
    }
    return last;
}

bool CategoryJob::make_vectors(Collection& collection, const KnownVectors& known, Embedder& embedder, const Stop& stop) {
    Progress progress(store_.category(), counts_.chunks);
    const auto save_part = [&](const Collection& part) {
        write_collection(store_.next_part(), part);
        store_.save(counts_);
    };
    const auto report = [&](const VectorProgress& at) {
        counts_.vectors = at.done;
        counts_.taken_over = at.taken_over;
        embedded_ = at.embedded;
        // A job of one batch is over before anyone asks how far it is.
        if (at.embedded > 0 && at.embedded <= config_.embedding.batch_chunks && at.done < counts_.chunks) store_.save(counts_);
        progress.update(at.done, 0);
        return !stop();
    };
    const bool complete =
        embed_chunks(collection, known, embedder, {config_.embedding.batch_chunks, config_.embedding.part_chunks}, save_part, report);
    if (!complete || wants_graph()) store_.save(counts_);  // else the next save is near
    return complete;
}

bool CategoryJob::wants_graph() const {
    const bool large = config_.index.kind == "auto" && counts_.chunks >= graph_from_rows;
    return counts_.chunks > 0 && (config_.index.kind == "hnsw" || large);
}

// The collection stands without its graph already: what a signal ends here is built by the next run.
bool CategoryJob::make_graph(Collection& collection, const Stop& stop) const {
    struct Stopped {};
    Progress progress(store_.category() + " graph", counts_.chunks);
    VectorIndex index(collection.vectors, collection.dimensions, resolve_threads(config_.threads));
    index.prepare();
    try {
        collection.graph = index.build_graph([&](std::int64_t done) {
            progress.update(done, 0);
            if (stop()) throw Stopped();
        });
    } catch (const Stopped&) {
        return false;
    }
    write_collection(store_.collection(), collection);
    return true;
}

bool CategoryJob::send(const Collection& collection, const Stop& stop) {
    if (config_.qdrant.url.empty()) return true;
    QdrantSettings settings;
    settings.url = config_.qdrant.url;
    settings.api_key_env = config_.qdrant.api_key_env;
    settings.batch = config_.qdrant.batch_points;
    settings.cancelled = stop;
    Progress progress(store_.category() + " to Qdrant", counts_.chunks);
    settings.progress = [&](std::int64_t points) { progress.update(points, 0); };
    try {
        counts_.sent = upsert_to_qdrant(collection, config_.qdrant.alias_prefix + store_.category(), settings).points;
    } catch (const HttpError&) {
        if (stop()) return false;
        throw;
    }
    store_.save(counts_);
    return true;
}

}  // namespace temper
