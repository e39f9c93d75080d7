#include "model/text_model.h"

#include <algorithm>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/decoder.h"
#include "model/model_path.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

class EncoderStates final : public HiddenStates {
  public:
    EncoderStates(Stream& stream, const Encoder& encoder, std::int64_t tokens)
        : stream_(stream), encoder_(encoder), activations_(stream.device(), encoder.config(), encoder.dtype(), tokens) {}
    View of(const EncoderBatch& batch) override { return encoder_.forward(stream_, batch, activations_); }

  private:
    Stream& stream_;
    const Encoder& encoder_;
    EncoderActivations activations_;
};

class EncoderModel final : public TextModel {
  public:
    EncoderModel(Stream& stream, const fs::path& model, const Json& json, DType dtype, Span<const Int8Input> int8_inputs)
        : config_(parse_encoder_config(json, (model / "config.json").string())),
          encoder_(stream, *open_safetensors(model), config_, dtype, checked(int8_inputs)) {}

    std::int64_t hidden_size() const override { return config_.hidden_size; }
    std::int64_t vocabulary() const override { return config_.vocab_size; }
    std::int64_t longest() const override { return config_.longest(); }
    std::int64_t types() const override { return config_.type_vocab_size; }
    std::optional<std::int32_t> padding_id() const override { return config_.padding_id; }
    bool shared() const override { return true; }
    const Encoder* encoder() const override { return &encoder_; }
    std::unique_ptr<HiddenStates> hidden_states(Stream& stream, std::int64_t tokens) const override {
        return std::make_unique<EncoderStates>(stream, encoder_, tokens);
    }

  private:
    Span<const Int8Input> checked(Span<const Int8Input> int8_inputs) const {
        if (!int8_inputs.empty() && int8_inputs.size() != Encoder::linears(config_))
            throw_error(ExitCode::usage, "scales of {} linears, and the model has {}: they are of another model", int8_inputs.size(),
                        Encoder::linears(config_));
        for (std::size_t i = 0; i < int8_inputs.size(); ++i) {
            const auto found = static_cast<std::int64_t>(int8_inputs[i].multipliers.size()), expected = Encoder::inputs_of(config_, i);
            if (found != 0 && found != expected)
                throw_error(ExitCode::usage, "scales of linear {} have {} multipliers, and its input {} columns: they are of another model", i, found,
                            expected);
        }
        return int8_inputs;
    }
    EncoderConfig config_;
    Encoder encoder_;
};

class DecoderStates final : public HiddenStates {
  public:
    DecoderStates(const Decoder& decoder, std::int64_t tokens)
        : decoder_(decoder),
          activations_(decoder.stream().device(), decoder.config(), LoraLayout{}, decoder.dtype(), tokens, Activations::Keep::nothing) {}
    View of(const EncoderBatch& batch) override {
        TokenBatch tokens;
        tokens.ids = batch.ids;
        tokens.positions = batch.positions;
        tokens.segments = batch.segments;
        return decoder_.forward(tokens, activations_);
    }

  private:
    const Decoder& decoder_;
    Activations activations_;
};

class DecoderModel final : public TextModel {
  public:
    DecoderModel(Stream& stream, const fs::path& model, DType dtype, std::int64_t limit)
        : files_(model, {}, ModelFiles::Head::unread),
          longest_(files_.config().max_position_embeddings),
          decoder_(stream, files_, {}, {dtype, false, positions(limit)}) {}

    std::int64_t hidden_size() const override { return decoder_.config().hidden_size; }
    std::int64_t vocabulary() const override { return decoder_.config().vocab_size; }
    std::int64_t longest() const override { return longest_; }
    bool shared() const override { return false; }
    std::unique_ptr<HiddenStates> hidden_states(Stream&, std::int64_t tokens) const override {
        return std::make_unique<DecoderStates>(decoder_, tokens);
    }

  private:
    std::int64_t positions(std::int64_t limit) const { return limit > 0 ? std::min(limit, longest_) : longest_; }
    ModelFiles files_;
    std::int64_t longest_;
    Decoder decoder_;
};

Json read_config(const fs::path& model) {
    require_model(model);
    return parse_json(read_file(model / "config.json", std::size_t(64) << 20), (model / "config.json").string());
}

std::string model_type(const Json& config) {
    return config.is_object() && config.contains("model_type") && config.at("model_type").is_string() ? config.at("model_type").get<std::string>()
                                                                                                      : "";
}

}  // namespace

bool is_decoder_model(const fs::path& model) {
    return fs::exists(model) && !fs::is_directory(model) ? true : !is_encoder_family(model_type(read_config(model)));
}

std::unique_ptr<TextModel> open_text_model(Stream& stream, const fs::path& model, DType dtype, std::int64_t limit,
                                           Span<const Int8Input> int8_inputs) {
    if (!is_decoder_model(model)) return std::make_unique<EncoderModel>(stream, model, read_config(model), dtype, int8_inputs);
    if (!int8_inputs.empty()) throw_error(ExitCode::usage, "{}: 8-bit integers are for encoders, and this is a decoder", model.string());
    return std::make_unique<DecoderModel>(stream, model, dtype, limit);
}

std::string text_model_sha256(const fs::path& model) { return model_sha256(model); }

TokenPack::TokenPack(Device device, std::int64_t tokens) : arena_(device) {
    const auto cut = [&] {
        for (Staged* part : {&ids_, &positions_, &types_}) *part = arena_.take_staged(DType::i32, {tokens});
    };
    cut();
    arena_ = arena_.allocated();
    cut();
}

void TokenPack::append(const TextModel& model, const TokenRows& rows, std::size_t row) {
    Segment segment;
    segment.begin = segment.key_begin = used_;
    segment.length = rows.length(row);
    batch_.segments.push_back(segment);
    std::int32_t position = model.padding_id() ? *model.padding_id() + 1 : 0;
    for (std::int64_t i = rows.begin(row); i < rows.ends[row]; ++i, ++used_) {
        const auto index = static_cast<std::size_t>(i);
        const std::int32_t id = rows.ids[index], type = rows.types.empty() || model.types() == 0 ? 0 : rows.types[index];
        if (id < 0 || id >= model.vocabulary())
            throw_error(ExitCode::bad_data, "token {} is not of the model, which has {}: the tokenizer is of another model", id, model.vocabulary());
        if (type != 0 && type >= model.types())
            throw_error(ExitCode::bad_data, "token type {} is not of the model, which has {}: the tokenizer is of another model", type,
                        model.types());
        ids_.host.as<std::int32_t>()[used_] = id;
        types_.host.as<std::int32_t>()[used_] = type;
        positions_.host.as<std::int32_t>()[used_] = model.padding_id() == id ? *model.padding_id() : position++;
    }
}

const EncoderBatch& TokenPack::pack(Stream& stream, const TextModel& model, const TokenRows& rows, Span<const std::size_t> chosen) {
    batch_.segments.clear();
    used_ = 0;
    for (const std::size_t row : chosen) append(model, rows, row);
    for (const Staged* part : {&ids_, &positions_, &types_}) send(stream, part->rows(0, used_));
    batch_.ids = ids_.device.rows(0, used_);
    batch_.positions = positions_.device.rows(0, used_);
    batch_.types = types_.device.rows(0, used_);
    return batch_;
}

}  // namespace temper
