// Metrics that a model computes: how near a text is to its reference, and how likely it is.
#include <cmath>
#include <map>
#include <set>

#include "eval/loglikelihood.h"
#include "eval/metric_families.h"
#include "eval/request_encoder.h"
#include "io/machine.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/extended_model.h"
#include "retrieval/model_embedder.h"

namespace temper {
namespace {

// Cosine of the vectors of the prediction and its nearest reference.
class SemanticSimilarity : public MeanMetric {
  public:
    explicit SemanticSimilarity(std::string encoder) : encoder_(std::move(encoder)) {}
    std::string name() const override { return "semantic_similarity"; }
    std::string signature() const override { return "encoder:" + encoder_; }
    bool looks_ahead() const override { return true; }
    void see(const TextRow& row) override {
        texts_.insert(row.prediction);
        texts_.insert(row.references.begin(), row.references.end());
    }
    void prepare() override {
        ModelEmbedderOptions options;
        options.normalize = true;
        const std::unique_ptr<Embedder> embedder = open_model_embedder(encoder_, options);
        width_ = static_cast<std::size_t>(embedder->dimensions());
        const std::vector<std::string> texts(texts_.begin(), texts_.end());
        vectors_.resize(texts.size() * width_);
        embedder->embed(texts, EmbedRole::document, vectors_.data());
        for (std::size_t i = 0; i < texts.size(); ++i) at_[texts[i]] = i;
    }

  protected:
    double score(const TextRow& row) const override {
        double best = -1.0;
        for (const std::string& reference : row.references) best = std::max(best, cosine(row.prediction, reference));
        return best;
    }

  private:
    double cosine(const std::string& a, const std::string& b) const {
        const float* const x = vectors_.data() + at_.at(a) * width_;
        const float* const y = vectors_.data() + at_.at(b) * width_;
        double product = 0.0, xx = 0.0, yy = 0.0;
        for (std::size_t i = 0; i < width_; ++i) {
            product += static_cast<double>(x[i]) * static_cast<double>(y[i]);
            xx += static_cast<double>(x[i]) * static_cast<double>(x[i]);
            yy += static_cast<double>(y[i]) * static_cast<double>(y[i]);
        }
        return xx == 0.0 || yy == 0.0 ? 0.0 : product / std::sqrt(xx * yy);
    }

    std::string encoder_;
    std::set<std::string> texts_;
    std::map<std::string, std::size_t> at_;
    std::vector<float> vectors_;  // (texts, width)
    std::size_t width_ = 0;
};

// exp of the mean negative log-probability of the prediction's tokens, the first behind the model's first (or end) token; over rows, of all their tokens.
class Perplexity : public TextMetric {
  public:
    explicit Perplexity(std::string model) : model_(std::move(model)) {}
    std::string name() const override { return "perplexity"; }
    std::string signature() const override { return "model:" + model_; }
    bool higher_is_better() const override { return false; }
    bool compares() const override { return false; }
    bool looks_ahead() const override { return true; }
    void see(const TextRow& row) override { sums_.emplace(row.prediction, Sum{}); }
    void prepare() override {
        const AdaptedModel adapted = open_adapted_model(model_, {});
        const ModelFiles& files = adapted.files();
        const Tokenizer tokenizer = files.load_tokenizer();
        const RequestEncoder encoder(tokenizer);
        Stream stream = open_stream("auto", 0, resolve_threads(0), best_isa());
        const Decoder::Options options{DType::f32, false, files.config().max_position_embeddings};
        settle_algorithms(stream, [&] { return chosen_algorithms(stream, files, adapted.lora, options); });
        const Decoder decoder(stream, files, adapted.lora, options);
        std::vector<LoglikelihoodRequest> requests;
        std::vector<Sum*> owners;
        for (auto& [text, sum] : sums_)
            for (LoglikelihoodRequest& window : encoder.windows(text, files.config().max_position_embeddings)) {
                sum.tokens += static_cast<double>(window.continuation.size());
                requests.push_back(std::move(window));
                owners.push_back(&sum);
            }
        LoglikelihoodSettings settings;
        settings.max_length = files.config().max_position_embeddings;
        const std::unique_ptr<Comm> alone = single_comm();
        const std::vector<Loglikelihood> found = loglikelihoods(decoder, *alone, requests, settings, [](std::int64_t, std::int64_t) {});
        for (std::size_t i = 0; i < found.size(); ++i) owners[i]->loglikelihood += found[i].sum;
    }
    std::size_t width() const override { return 2; }
    void statistics(const TextRow& row, double* to) const override {
        const Sum& sum = sums_.at(row.prediction);
        if (sum.tokens == 0.0) throw_error(ExitCode::bad_data, "{}: field 'prediction' has no token: an empty text has no perplexity", row.place);
        to[0] = sum.loglikelihood;
        to[1] = sum.tokens;
    }
    double value(const double* sums) const override { return std::exp(-sums[0] / sums[1]); }

  private:
    struct Sum {
        double loglikelihood = 0.0, tokens = 0.0;
    };
    std::string model_;
    std::map<std::string, Sum> sums_;
};

}  // namespace

std::unique_ptr<TextMetric> make_of_model(const std::string& name, const MetricOptions& options) {
    if (name == "semantic_similarity") {
        if (options.encoder.empty())
            throw_error(ExitCode::usage, "semantic_similarity: by which encoder? Name its directory (--encoder, metric.encoder)");
        return std::make_unique<SemanticSimilarity>(options.encoder);
    }
    if (name != "perplexity") return nullptr;
    if (options.language_model.empty())
        throw_error(ExitCode::usage, "perplexity: of which model? Name its directory (--language-model, metric.language_model)");
    return std::make_unique<Perplexity>(options.language_model);
}

}  // namespace temper
