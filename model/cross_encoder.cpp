#include "model/cross_encoder.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/embedding_model.h"

namespace temper {
namespace {

// sentence-transformers' default is the sigmoid for one label, and nothing for several; a model may name another one of torch's.
bool takes_sigmoid(const std::string& named, std::int64_t labels, const std::string& model) {
    if (!named.starts_with("torch.")) return labels == 1;
    const std::string last = named.substr(named.rfind('.') + 1);
    if (last == "Sigmoid") return true;
    if (last == "Identity") return false;
    throw_error(ExitCode::bad_data, "{}: the activation of scores is {}, supported are torch's Sigmoid and Identity", model, named);
}

}  // namespace

CrossEncoder::CrossEncoder(Stream& stream, const std::filesystem::path& model, Options options) : path_(model), options_(options) {
    const SentenceSettings settings = read_pair_settings(model);
    Tokenizer tokenizer = load_text_tokenizer(settings.transformer, settings.lower_case);
    if (is_decoder_model(settings.transformer))
        throw_error(ExitCode::bad_data, "{}: a decoder scores no pairs here; give a cross-encoder of the BERT family", model.string());
    transformer_ = open_text_model(stream, settings.transformer, options_.dtype, options_.max_length);
    const EncoderConfig& config = transformer_->encoder()->config();
    if (config.labels == 0)
        throw_error(ExitCode::bad_data,
                    "{}: config.json's architectures name no ...ForSequenceClassification: the model scores nothing; temper embed "
                    "makes vectors with it",
                    model.string());
    sigmoid_ = takes_sigmoid(settings.score_activation.empty() ? config.score_activation : settings.score_activation, config.labels, model.string());
    const std::int64_t limit = text_limit(settings, tokenizer, transformer_->longest(), options_.max_length);
    texts_ = std::make_unique<TextRows>(std::move(tokenizer), limit);
}

std::string CrossEncoder::identity() const {
    return sha256_hex(fmt::format("model {}\ntokenizer {}\nlimit {}\nactivation {}\ndtype {}\n", text_model_sha256(path_),
                                  texts_->tokenizer().fingerprint(), texts_->limit(), activation(), name_of(options_.dtype)));
}

void CrossEncoder::rehearse(Stream& stream) const {
    std::vector<float> scores(static_cast<std::size_t>(labels()));
    const std::size_t first = 0;
    Pass(*this, stream, 1).run(one_token(), {&first, 1}, scores.data());
}

CrossEncoder::Pass::Pass(const CrossEncoder& model, Stream& stream, std::int64_t tokens) : model_(model), stream_(stream), memory_(stream.device()) {
    reserve(tokens, std::max<std::int64_t>(1, tokens / 8));
}

void CrossEncoder::Pass::reserve(std::int64_t tokens, std::int64_t rows) {
    if (tokens > tokens_) {
        states_.reset();
        states_ = model_.transformer_->hidden_states(stream_, tokens);
        pack_.emplace(stream_.device(), tokens);
        tokens_ = tokens;
    }
    if (rows <= rows_) return;
    rows_ = rows;
    const auto cut = [&] {
        const std::int64_t d = model_.transformer_->hidden_size();
        first_ = memory_.take(DType::f32, {rows, d});
        pooled_ = memory_.take(DType::f32, {rows, d});
        logits_ = memory_.take_staged(DType::f32, {rows * model_.labels()});
    };
    memory_ = StagedArena(stream_.device());
    cut();
    memory_ = memory_.allocated();
    cut();
}

void CrossEncoder::Pass::run(const TokenRows& rows, Span<const std::size_t> chosen, float* scores) {
    std::int64_t tokens = 0;
    for (const std::size_t row : chosen) tokens += rows.length(row);
    const auto count = static_cast<std::int64_t>(chosen.size()), labels = model_.labels();
    if (count == 0) return;
    reserve(tokens, count);
    const EncoderBatch& batch = pack_->pack(stream_, *model_.transformer_, rows, chosen);
    const View hidden = states_->of(batch), first = first_.rows(0, count);
    ops::pool(stream_, first, hidden, batch.segments, ops::Pooling::cls);
    model_.transformer_->encoder()->classify(stream_, logits_.device.flat(0, {count, labels}), pooled_.rows(0, count), first);
    fetch(stream_, logits_.rows(0, count * labels));
    stream_.synchronize();
    const float* logit = logits_.host.as<float>();
    for (const std::size_t row : chosen)
        for (std::int64_t label = 0; label < labels; ++label, ++logit)
            scores[static_cast<std::int64_t>(row) * labels + label] = model_.sigmoid_ ? 1.0f / (1.0f + std::exp(-*logit)) : *logit;
}

}  // namespace temper
