// `temper search`: the chunks of a store that are nearest to a question.
#include "retrieval/store_search.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/machine.h"
#include "io/output_file.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "retrieval/model_embedder.h"

namespace temper {
namespace {

struct Arguments {
    std::string store, input, output, model, rerank, dtype = "float32", device = "auto", isa = "auto";
    std::vector<std::string> words, categories, filters;
    std::int64_t top_k = 10, candidates = 50, threads = 0;
    bool graph = false, json = false;
};

Json hit_json(const SearchHit& hit, std::size_t rank) {
    Json json = {{"rank", rank}, {"score", hit.score}};
    if (hit.reranked) json["rerank_score"] = *hit.reranked;
    json["category"] = *hit.category;
    json["id"] = hit.chunk->id;
    json["document"] = hit.chunk->document;
    json["ordinal"] = hit.chunk->ordinal;
    json["text"] = hit.chunk->text;
    json["metadata"] = hit.chunk->metadata;
    return json;
}

Json hits_json(const std::vector<SearchHit>& hits) {
    Json list = Json::array();
    for (std::size_t i = 0; i < hits.size(); ++i) list.push_back(hit_json(hits[i], i + 1));
    return list;
}

// The beginning of a text on one line, cut between letters.
std::string excerpt(const std::string& text) {
    constexpr std::size_t most = 240;
    std::string line;
    for (const char c : text) {
        const bool blank = static_cast<unsigned char>(c) <= ' ';
        if (!blank) line += c;
        else if (!line.empty() && line.back() != ' ') line += ' ';
        if (line.size() >= most + 4) break;
    }
    if (line.size() <= most) return line;
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    return line.substr(0, end) + "…";
}

void print(const SearchHit& hit, std::size_t rank) {
    const Json& metadata = hit.chunk->metadata;
    const std::string title =
        metadata.is_object() && metadata.contains("title") && metadata.at("title").is_string() ? "  " + metadata.at("title").get<std::string>() : "";
    const std::string score = hit.reranked ? fmt::format("{:.4f} ({:.4f})", *hit.reranked, hit.score) : fmt::format("{:.4f}", hit.score);
    const std::string text =
        fmt::format("{:>3}  {}  {}  {}{}\n     {}\n", rank, score, *hit.category, hit.chunk->id, excerpt(title), excerpt(hit.chunk->text));
    std::fwrite(text.data(), 1, text.size(), stdout);
}

// Rows {"query", …} get "hits"; what else they hold stays.
int search_rows(const Arguments& a, const StoreSearch& store, Embedder& embedder, const SearchOptions& options) {
    std::vector<Json> rows;
    std::vector<std::string> queries;
    const auto source = open_rows(a.input);
    for (Json row; source->next(row);) {
        if (!row.contains("query") || !row.at("query").is_string())
            throw_error(ExitCode::bad_data, "{}: no \"query\", expected a text of that name", source->place());
        queries.push_back(row.at("query").get<std::string>());
        rows.push_back(std::move(row));
    }
    // A question's hits are its own: in pieces they are those of all at once.
    constexpr std::size_t piece = 256;
    Progress progress("search", static_cast<std::int64_t>(rows.size()));
    for (std::size_t first = 0; first < rows.size(); first += piece) {
        const std::size_t end = std::min(first + piece, rows.size());
        const auto results = store.search({queries.begin() + static_cast<std::ptrdiff_t>(first), queries.begin() + static_cast<std::ptrdiff_t>(end)},
                                          embedder, options);
        for (std::size_t i = first; i < end; ++i) rows[i]["hits"] = hits_json(results[i - first]);
        progress.update(static_cast<std::int64_t>(end), 0);
    }
    progress.finish();
    write_durable(a.output, [&](const Sink& sink) {
        for (const Json& row : rows) sink(json_text(row) + "\n");
    });
    if (a.json) print_result({{"status", "done"}, {"queries", rows.size()}, {"searched", store.chunks()}, {"output", a.output}});
    return 0;
}

int search(const Arguments& a) {
    if (a.words.size() > 1) throw_error(ExitCode::usage, "search: {} questions are given; put one in quotes, or many into --input", a.words.size());
    if (a.words.empty() == a.input.empty()) throw_error(ExitCode::usage, "search: give either a QUERY or --input rows.jsonl");
    if (a.input.empty() != a.output.empty()) throw_error(ExitCode::usage, "search: --input and --output go together");
    if (a.top_k < 1 || a.candidates < 1) throw_error(ExitCode::usage, "search: --top-k and --candidates: expected at least 1");
    if (!a.output.empty()) check_output_file(a.output, {a.input});
    ModelEmbedderOptions model_options;
    model_options.dtype = a.dtype;
    model_options.device = a.device;
    model_options.isa = a.isa;
    model_options.threads = a.threads;
    SearchOptions options;
    options.top_k = a.top_k;
    options.candidates = a.candidates;
    options.filters = a.filters;
    options.graph = a.graph;
    const StoreSearch store(a.store, a.categories, static_cast<int>(resolve_threads(a.threads)));
    const std::unique_ptr<Embedder> embedder = open_model_embedder(a.model, model_options);
    std::unique_ptr<Reranker> reranker;
    if (!a.rerank.empty()) reranker = open_model_reranker(a.rerank, model_options);
    options.reranker = reranker.get();
    if (!a.input.empty()) return search_rows(a, store, *embedder, options);
    const std::string& query = a.words.front();
    const std::vector<SearchHit> hits = store.search({query}, *embedder, options).front();
    if (!a.json) {
        for (std::size_t i = 0; i < hits.size(); ++i) print(hits[i], i + 1);
        if (hits.empty()) std::puts("nothing found");
        return 0;
    }
    print_result({{"status", "done"}, {"query", query}, {"searched", store.chunks()}, {"hits", hits_json(hits)}});
    return 0;
}

}  // namespace

void add_search(Command& temper) {
    auto arguments = std::make_shared<Arguments>();
    Command& command = temper.command("search", "Finds the chunks of a store that are nearest to a question.");
    command.positional("DIR", arguments->store, "Directory that temper features filled, or one of its collection.h5.");
    command.positionals("QUERY", arguments->words, "The question.");
    command.option("--input", arguments->input, "rows.jsonl", "Rows {\"query\"} in the place of one question.");
    command.option("--output", arguments->output, "hits.jsonl", "The rows of --input with \"hits\".");
    command.required("--model", arguments->model, "DIR", "The embedding model of the store.");
    command.option("--top-k", arguments->top_k, "N", "Chunks that are shown.");
    command.options("--category", arguments->categories, "NAME", "Only this category; may be given several times. One that is absent is empty.");
    command.options("--filter", arguments->filters, "EXPR",
                    "A condition on the metadata, as year>=2024, author=ann|bob, tags!=draft, date<2024-05; given several times, all hold.");
    command.option("--rerank", arguments->rerank, "DIR", "A cross-encoder that scores the nearest ones again.");
    command.option("--candidates", arguments->candidates, "N", "Chunks that are scored again.");
    command.flag("--graph", arguments->graph,
                 "By the graph saved with a large collection: nearly all of the nearest. Left out, all vectors are compared.");
    command.choice("--dtype", arguments->dtype, {"float32", "bfloat16"}, "Arithmetic of the models; as the store was made with.");
    command.option("--device", arguments->device, "NAME", "cpu, cuda or auto, of the models.");
    command.option("--isa", arguments->isa, "NAME", "Instruction set of the models.");
    command.option("--threads", arguments->threads, "N", "0: OMP_NUM_THREADS, or the cores allowed.");
    command.flag("--json", arguments->json, "One object as the last line of stdout: status, query, searched, hits.");
    command.runs([arguments] { return search(*arguments); });
}

}  // namespace temper
