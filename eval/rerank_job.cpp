#include "eval/rerank_job.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/row_job.h"
#include "io/comm/algorithms.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/machine.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/cross_encoder.h"
#include "model/model_passes.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

constexpr std::int64_t block_rows = 1024;

// The documents of a row: a list of texts or of objects with a text, or one "text".
std::vector<std::string> documents_of(const RowPieces::Row& row) {
    const auto list = row.fields.find("documents");
    if (list == row.fields.end()) return {text_field(row.fields, "text", row.place)};
    if (!list->is_array()) throw_error(ExitCode::bad_data, "{}: field \"documents\" is {}, expected a list", row.place, list->type_name());
    std::vector<std::string> texts;
    for (const Json& document : *list) {
        if (document.is_string()) texts.push_back(document.get<std::string>());
        else if (document.is_object()) texts.push_back(text_field(document, "text", row.place));
        else
            throw_error(ExitCode::bad_data, "{}: \"documents\" holds {}, expected texts or objects with a \"text\"", row.place, document.type_name());
    }
    return texts;
}

class RerankWork final : public RowWork {
  public:
    RerankWork(const RerankOptions& options, Stream& stream, Comm& comm)
        : options_(options),
          stream_(stream),
          model_(stream, options.model, {options.dtype == "bfloat16" ? DType::bf16 : DType::f32, options.max_length}) {
        if (options.top_k > 0 && model_.labels() > 1)
            throw_error(ExitCode::usage, "--top-k: the model gives {} scores a pair, by which of them to rank is not known", model_.labels());
        follow_rank_0(stream, comm, [&] { return chosen_algorithms_of(model_, stream); });
    }

    std::int64_t width() const override { return 0; }
    std::int64_t most_bytes() const override { return std::int64_t(1) << 40; }  // a row has any number of documents
    std::string text_field() const override { return "text"; }

    Json settings() const override {
        Json config{{"model", options_.model}, {"input", options_.input}, {"output", options_.output}, {"dtype", options_.dtype}};
        config["top_k"] = options_.top_k;
        config["labels"] = model_.labels();
        config["activation"] = model_.activation();
        config["max_length"] = model_.texts().limit();
        return config;
    }
    std::string identity() const override { return fmt::format("{}\ntop {}", model_.identity(), options_.top_k); }

    Workers begin() override {
        passes_.emplace(model_, stream_, options_.batch_tokens);
        const bool on_device = passes_->threads() == 1 && stream_.threads() > 1;
        constexpr std::size_t bytes = std::size_t(1) << 16;
        if (on_device) return {stream_.threads(), {64, bytes, bytes}};
        return {passes_->threads(), {8, bytes}};
    }

    void make(RowPieces::Piece& rows, PartRows& results) const override {
        TokenRows tokens;
        std::vector<std::size_t> ends;
        for (const RowPieces::Row& row : rows.rows) {
            const std::string& query = temper::text_field(row.fields, "query", row.place);
            for (const std::string& document : documents_of(row)) results.totals.cut += model_.texts().add_pair(query, document, tokens) ? 1 : 0;
            ends.push_back(tokens.size());
        }
        results.totals.tokens = static_cast<std::int64_t>(tokens.ids.size());
        std::vector<float> scores(tokens.size() * static_cast<std::size_t>(model_.labels()));
        passes_->run(tokens, scores.data());
        std::size_t begin = 0;
        for (std::size_t i = 0; i < rows.rows.size(); ++i) {
            RowPieces::Row& row = rows.rows[i];
            add_scores(row, scores, begin, ends[i]);
            results.add("", json_text(row.fields));
            row.fields = Json();
            begin = ends[i];
        }
    }

    Json assemble(const std::vector<PartInfo>& parts, const Input& input) override {
        PartTotals totals;
        write_durable(options_.output, [&](const Sink& sink) {
            totals = read_parts(parts, width(), input.rows, block_rows, [&](const PartRows& rows) {
                for (std::int64_t i = 0; i < rows.rows(); ++i) sink(std::string(rows.text(i)) + "\n");
            });
        });
        return {{"rows", input.rows}, {"tokens", totals.tokens}, {"pairs_cut", totals.cut}};
    }

  private:
    // Of one label a number, of several a list.
    Json score_of(const std::vector<float>& scores, std::size_t pair, const std::string& place) const {
        const auto labels = static_cast<std::size_t>(model_.labels());
        Json list = Json::array();
        for (std::size_t label = 0; label < labels; ++label) {
            const float score = scores[pair * labels + label];
            if (!std::isfinite(score))
                throw_error(ExitCode::non_finite, "{}: a score is not finite: the weights are damaged, or {} is too narrow for this model", place,
                            options_.dtype);
            list.push_back(score);
        }
        return labels == 1 ? list.front() : list;
    }

    void add_scores(RowPieces::Row& row, const std::vector<float>& scores, std::size_t begin, std::size_t end) const {
        if (!row.fields.contains("documents")) {
            row.fields["score"] = score_of(scores, begin, row.place);
            return;
        }
        Json list = Json::array();
        for (std::size_t pair = begin; pair < end; ++pair) list.push_back(score_of(scores, pair, row.place));
        row.fields["scores"] = std::move(list);
        if (model_.labels() > 1) return;
        std::vector<std::size_t> order(end - begin);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[begin + a] > scores[begin + b]; });
        if (options_.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options_.top_k)));
        row.fields["ranking"] = order;
    }

    const RerankOptions& options_;
    Stream& stream_;
    CrossEncoder model_;
    mutable std::optional<ModelPasses<CrossEncoder>> passes_;
};

}  // namespace

int run_rerank_job(const RerankOptions& options) {
    install_stop_signals();  // first: starting MPI takes seconds on a cluster
    const std::unique_ptr<Comm> comm = start_comm(job_patience_seconds);
    return run_on_ranks(*comm, options.json, [&] {
        Stream stream = open_stream(options.device, local_rank(), resolve_threads(options.threads), parse_isa(options.isa));
        RerankWork work(options, stream, *comm);
        return run_row_job("rerank", options, {options.input, options.output}, *comm, stream, work);
    });
}

}  // namespace temper
