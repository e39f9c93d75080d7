#include "model/embedding_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/ranges.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/model_files.h"

namespace temper {

Tokenizer load_text_tokenizer(const std::filesystem::path& model, bool lower_case) {
    Tokenizer tokenizer = std::filesystem::is_directory(model) ? Tokenizer::from_directory(model) : Tokenizer::from_gguf(GgufFile(model));
    return lower_case ? tokenizer.with_lower_case() : std::move(tokenizer);
}

std::int64_t text_limit(const SentenceSettings& settings, const Tokenizer& tokenizer, std::int64_t longest, std::int64_t wanted) {
    std::int64_t limit = longest;
    const Json& config = tokenizer.config();
    if (settings.max_seq_length) limit = std::min(limit, *settings.max_seq_length);
    else if (config.contains("model_max_length") && config.at("model_max_length").is_number()) {
        const double most = config.at("model_max_length").get<double>();  // 1e30 where nobody knows
        if (most >= 1.0 && most < static_cast<double>(limit)) limit = static_cast<std::int64_t>(most);
    }
    if (wanted > longest) throw_error(ExitCode::usage, "a limit of {} tokens a text: the model takes {}", wanted, longest);
    return wanted > 0 ? wanted : limit;
}

EmbeddingModel::EmbeddingModel(Stream& stream, const std::filesystem::path& model, Options options) : path_(model), options_(options) {
    settings_ = read_sentence_settings(model, is_decoder_model(model));
    if (options_.pooling) settings_.pooling = {*options_.pooling};
    transformer_sha256_ = std::async(std::launch::async, [path = settings_.transformer] { return text_model_sha256(path); }).share();
    Tokenizer tokenizer = load_text_tokenizer(settings_.transformer, settings_.lower_case);
    Span<const Int8Input> int8_inputs;
    if (options_.int8) {
        check_int8_scales(*options_.int8, transformer_sha256_.get(), settings_.transformer);
        int8_inputs = options_.int8->inputs;
    }
    transformer_ = open_text_model(stream, settings_.transformer, options_.dtype, options_.max_length, int8_inputs);
    const std::int64_t limit = text_limit(settings_, tokenizer, transformer_->longest(), options_.max_length);
    texts_ = std::make_unique<TextRows>(std::move(tokenizer), limit);
    width_ = transformer_->hidden_size() * static_cast<std::int64_t>(settings_.pooling.size());
    load_dense(stream);
    if (options_.dimensions == 0) options_.dimensions = settings_.truncate_dimensions.value_or(0);
    if (options_.dimensions < 0 || options_.dimensions > width_)
        throw_error(ExitCode::usage, "{} dimensions: the model's vectors have {}", options_.dimensions, width_);
    dimensions_ = options_.dimensions > 0 ? options_.dimensions : width_;
}

void EmbeddingModel::load_dense(Stream& stream) {
    for (const DenseSettings& dense : settings_.dense) {
        if (dense.in != width_)
            throw_error(ExitCode::bad_data, "{}: in_features is {}, expected {}, the width of what comes before", dense.directory.string(), dense.in,
                        width_);
        const auto source = open_safetensors(dense.directory);
        std::vector<float> weight(static_cast<std::size_t>(dense.out * dense.in)), bias(static_cast<std::size_t>(dense.out));
        const View matrix(weight.data(), DType::f32, {dense.out, dense.in}), row(bias.data(), DType::f32, {dense.out});
        source->read("linear.weight", matrix);
        if (dense.bias) source->read("linear.bias", row);
        dense_.push_back(
            {PreparedLinear(stream, {&matrix, 1}, dense.bias ? row : View(), {}, {false, false, stream.device(), true}), dense.activation});
        width_ = dense.out;
    }
}

bool EmbeddingModel::normalized() const {
    if (options_.normalize == Normalize::yes) return true;
    return options_.normalize == Normalize::as_files_say && settings_.normalize && dimensions_ == width_;
}

std::string EmbeddingModel::pooling() const {
    std::vector<std::string> names;
    for (const ops::Pooling mode : settings_.pooling) names.emplace_back(name_of(mode));
    return fmt::format("{}", fmt::join(names, "+"));
}

std::string EmbeddingModel::model_sha256() const {
    std::string all = transformer_sha256_.get();
    for (const DenseSettings& dense : settings_.dense)
        all += sha256_file(dense.directory / "model.safetensors") + sha256_file(dense.directory / "config.json");
    return sha256_hex(all);
}

std::string EmbeddingModel::identity() const {
    return sha256_hex(fmt::format("model {}\ntokenizer {}\nlimit {}\npooling {}\nprompt pooled {}\nnormalize {} {}\ndimensions {}\ndtype {}{}\n",
                                  model_sha256(), texts_->tokenizer().fingerprint(), texts_->limit(), pooling(), settings_.pool_prompt,
                                  settings_.normalize, static_cast<int>(options_.normalize), dimensions_, name_of(options_.dtype),
                                  options_.int8 ? " int8 " + options_.int8->identity() : ""));
}

std::string EmbeddingModel::prompt(const std::string& name) const {
    const std::string wanted = name.empty() ? settings_.default_prompt_name : name;
    if (wanted.empty()) return "";
    const auto found = settings_.prompts.find(wanted);
    if (found != settings_.prompts.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, text] : settings_.prompts) names.push_back(known);
    throw_error(ExitCode::usage, "the model has no prompt named '{}'; it has: {}", wanted,
                names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
}

std::int32_t EmbeddingModel::skipped_tokens(const std::string& prompt) const {
    return settings_.pool_prompt || prompt.empty() ? 0 : texts_->prompt_tokens(prompt);
}

// Summed in double: a vector's length depends on the order of no vector unit.
void EmbeddingModel::finish(float* vector) const {
    if (options_.normalize != Normalize::yes) return;
    double squares = 0.0;
    for (std::int64_t i = 0; i < dimensions_; ++i) squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
    const double length = std::max(std::sqrt(squares), 1e-12);
    for (std::int64_t i = 0; i < dimensions_; ++i) vector[i] = static_cast<float>(static_cast<double>(vector[i]) / length);
}

void EmbeddingModel::rehearse(Stream& stream) const {
    std::vector<float> vector(static_cast<std::size_t>(dimensions_));
    const std::size_t first = 0;
    Pass(*this, stream, 1).run(one_token(), {&first, 1}, vector.data());
}

EmbeddingModel::Pass::Pass(const EmbeddingModel& model, Stream& stream, std::int64_t tokens)
    : model_(model), stream_(stream), result_memory_(stream.device()) {
    reserve(tokens, std::max<std::int64_t>(1, tokens / 8));
}

void EmbeddingModel::Pass::reserve(std::int64_t tokens, std::int64_t rows) {
    if (tokens > tokens_) {
        states_.reset();
        states_ = model_.transformer_->hidden_states(stream_, tokens);
        pack_.emplace(stream_.device(), tokens);
        tokens_ = tokens;
    }
    if (rows <= rows_) return;
    rows_ = rows;
    const auto cut = [&](Arena& arena) {
        widths_.clear();
        widths_.push_back(
            arena.take(DType::f32, {rows, model_.transformer_->hidden_size() * static_cast<std::int64_t>(model_.settings_.pooling.size())}));
        for (const Dense& dense : model_.dense_) widths_.push_back(arena.take(DType::f32, {rows, dense.linear.out()}));
    };
    Arena counter;
    cut(counter);
    arena_ = Arena(counter.used(), memory_of(stream_.device()));
    cut(arena_);
    const auto cut_result = [&] { result_ = result_memory_.take_staged(DType::f32, {rows * model_.width_}); };
    result_memory_ = StagedArena(stream_.device());
    cut_result();
    result_memory_ = result_memory_.allocated();
    cut_result();
}

View EmbeddingModel::Pass::pooled(const TokenRows& rows, Span<const std::size_t> chosen) {
    const EncoderBatch& batch = pack_->pack(stream_, *model_.transformer_, rows, chosen);
    const View hidden = states_->of(batch);
    std::vector<Segment> segments = batch.segments;
    for (std::size_t i = 0; !rows.skipped.empty() && i < chosen.size(); ++i) {
        const std::int64_t skipped = std::min<std::int64_t>(rows.skipped[chosen[i]], segments[i].length - 1);
        segments[i].begin += skipped;
        segments[i].length -= skipped;
    }
    const auto count = static_cast<std::int64_t>(chosen.size()), d = model_.transformer_->hidden_size();
    View values = widths_.front().rows(0, count);
    for (std::size_t i = 0; i < model_.settings_.pooling.size(); ++i)
        ops::pool(stream_, values.columns(static_cast<std::int64_t>(i) * d, d), hidden, segments, model_.settings_.pooling[i]);
    for (std::size_t i = 0; i < model_.dense_.size(); ++i) {
        const Dense& dense = model_.dense_[i];
        const View out = widths_[i + 1].rows(0, count);
        ops::linear(stream_, out, values, dense.linear, View(), dense.activation ? Epilogue::pointwise(*dense.activation) : Epilogue::none());
        values = out;
    }
    if (model_.settings_.normalize && model_.options_.normalize != Normalize::no) ops::l2_normalize(stream_, values);
    return values;
}

void EmbeddingModel::Pass::run(const TokenRows& rows, Span<const std::size_t> chosen, float* vectors) {
    std::int64_t tokens = 0;
    for (const std::size_t row : chosen) {
        if (rows.length(row) == 0) throw_error(ExitCode::bad_data, "a text without tokens has no vector");
        tokens += rows.length(row);
    }
    const auto count = static_cast<std::int64_t>(chosen.size());
    if (count == 0) return;
    reserve(tokens, count);
    const View values = pooled(rows, chosen);
    ops::copy(stream_, result_.device.flat(0, {count, model_.width_}), values);
    fetch(stream_, result_.rows(0, count * model_.width_));
    stream_.synchronize();
    for (std::int64_t i = 0; i < count; ++i) {
        float* const vector = vectors + static_cast<std::int64_t>(chosen[static_cast<std::size_t>(i)]) * model_.dimensions_;
        std::memcpy(vector, result_.host.as<float>() + i * model_.width_, static_cast<std::size_t>(model_.dimensions_) * sizeof(float));
        model_.finish(vector);
    }
}

}  // namespace temper
