#include "retrieval/model_embedder.h"

#include "io/durable.h"
#include "io/machine.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/cross_encoder.h"
#include "model/embedding_model.h"
#include "model/model_passes.h"

namespace temper {
namespace {

DType dtype_of(const ModelEmbedderOptions& options) {
    if (options.dtype != "float32" && options.dtype != "bfloat16")
        throw_error(ExitCode::usage, "dtype '{}' is neither float32 nor bfloat16", options.dtype);
    return options.dtype == "bfloat16" ? DType::bf16 : DType::f32;
}

EmbeddingModel::Options model_options(const ModelEmbedderOptions& options) {
    EmbeddingModel::Options result;
    result.dtype = dtype_of(options);
    result.dimensions = options.dimensions;
    result.max_length = options.max_length;
    if (options.normalize) result.normalize = EmbeddingModel::Normalize::yes;
    return result;
}

// As sentence-transformers' encode_query and encode_document choose.
std::string role_prompt(const EmbeddingModel& model, std::initializer_list<const char*> names, const std::optional<std::string>& own) {
    if (own) return *own;
    for (const char* name : names)
        if (model.settings().prompts.count(name) > 0) return model.prompt(name);
    return model.prompt("");
}

class ModelEmbedder final : public Embedder {
  public:
    ModelEmbedder(const std::filesystem::path& model, const ModelEmbedderOptions& options)
        : stream_(open_stream(options.device, 0, resolve_threads(options.threads), parse_isa(options.isa))),
          model_(stream_, model, model_options(options)),
          passes_(model_, stream_, options.batch_tokens),
          query_prompt_(role_prompt(model_, {"query"}, options.query_prompt)),
          document_prompt_(role_prompt(model_, {"document", "passage", "corpus"}, options.document_prompt)) {
        settle_algorithms(stream_, [&] { return chosen_algorithms_of(model_, stream_); });
    }

    std::int64_t dimensions() const override { return model_.dimensions(); }
    std::string identity() const override {
        return sha256_hex(fmt::format("{}\nquery {}\ndocument {}\n", model_.identity(), query_prompt_, document_prompt_));
    }
    bool normalized() const override { return model_.normalized(); }
    std::int64_t longest() const override {
        const auto after = static_cast<std::int64_t>(model_.texts().tokenizer().tokens_after().size());
        return std::max<std::int64_t>(1, model_.texts().limit() - model_.texts().prompt_tokens(document_prompt_) - after);
    }

    void embed(Span<const std::string> texts, EmbedRole role, float* vectors) override {
        const std::string& prompt = role == EmbedRole::query ? query_prompt_ : document_prompt_;
        const std::int32_t skipped = model_.skipped_tokens(prompt);
        // Slices of texts are made tokens by all threads.
        constexpr std::size_t slice = 64;
        const std::size_t count = (texts.size() + slice - 1) / slice;
        std::vector<TokenRows> slices(count);
        struct Nothing {};
        run_jobs<Nothing>(stream_.threads(), static_cast<std::int64_t>(count), [&](std::int64_t job, Nothing&) {
            const std::size_t begin = static_cast<std::size_t>(job) * slice;
            for (std::size_t i = begin; i < std::min(texts.size(), begin + slice); ++i)
                model_.texts().add(prompt + texts[i], slices[static_cast<std::size_t>(job)], skipped);
        });
        TokenRows rows;
        for (const TokenRows& part : slices) rows.append(part, 0, part.size());
        passes_.run_together(rows, vectors);
    }

    std::vector<TokenPlace> tokens(const std::string& text) const override {
        std::vector<TokenPlace> places;
        for (const auto& [begin, end] : model_.texts().tokenizer().encode_with_offsets(text, false).offsets)
            places.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
        return places;
    }

  private:
    Stream stream_;
    EmbeddingModel model_;
    ModelPasses<EmbeddingModel> passes_;
    std::string query_prompt_, document_prompt_;
};

class ModelReranker final : public Reranker {
  public:
    ModelReranker(const std::filesystem::path& model, const ModelEmbedderOptions& options)
        : stream_(open_stream(options.device, 0, resolve_threads(options.threads), parse_isa(options.isa))),
          model_(stream_, model, {dtype_of(options), options.max_length}),
          passes_(model_, stream_, options.batch_tokens) {
        if (model_.labels() != 1)
            throw_error(ExitCode::usage, "{}: the model gives {} scores a pair, a reranker gives one", model.string(), model_.labels());
        settle_algorithms(stream_, [&] { return chosen_algorithms_of(model_, stream_); });
    }

    std::vector<float> score(const std::string& query, Span<const std::string> texts) override {
        TokenRows rows;
        for (const std::string& text : texts) model_.texts().add_pair(query, text, rows);
        std::vector<float> scores(texts.size());
        passes_.run_together(rows, scores.data());
        return scores;
    }

  private:
    Stream stream_;
    CrossEncoder model_;
    ModelPasses<CrossEncoder> passes_;
};

}  // namespace

std::unique_ptr<Embedder> open_model_embedder(const std::filesystem::path& model, const ModelEmbedderOptions& options) {
    return std::make_unique<ModelEmbedder>(model, options);
}

std::unique_ptr<Reranker> open_model_reranker(const std::filesystem::path& model, const ModelEmbedderOptions& options) {
    return std::make_unique<ModelReranker>(model, options);
}

}  // namespace temper
