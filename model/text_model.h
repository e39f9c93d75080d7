// A model that reads texts: an encoder of the BERT family or a decoder, whatever lies behind, and the hidden states of tokens laid end to end.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "io/tokenizer/tokenizer.h"
#include "kernels/staged.h"
#include "model/encoder.h"
#include "model/text_rows.h"

namespace temper {

// The memory of one stream's passes.
class HiddenStates {
  public:
    virtual ~HiddenStates() = default;
    virtual View of(const EncoderBatch& batch) = 0;  // (N, D), until the next call
};

class TextModel {
  public:
    virtual ~TextModel() = default;
    virtual std::int64_t hidden_size() const = 0;
    virtual std::int64_t vocabulary() const = 0;
    virtual std::int64_t longest() const = 0;  // tokens of a text
    virtual std::int64_t types() const { return 0; }
    virtual std::optional<std::int32_t> padding_id() const { return {}; }  // EncoderConfig::padding_id
    virtual bool shared() const = 0;                                       // passes of several streams at once
    virtual const Encoder* encoder() const { return nullptr; }
    // Passes over at most so many tokens. A model that is not shared runs on the stream that it was opened with.
    virtual std::unique_ptr<HiddenStates> hidden_states(Stream& stream, std::int64_t tokens) const = 0;
};

// A Hugging Face directory or a .gguf file. At most `limit` tokens a text (0: as many as the model takes).
// int8_inputs: as Encoder takes them; usage for a decoder, or when they are not of the model's linears.
std::unique_ptr<TextModel> open_text_model(Stream& stream, const std::filesystem::path& model, DType dtype, std::int64_t limit,
                                           Span<const Int8Input> int8_inputs = {});
bool is_decoder_model(const std::filesystem::path& model);
// What of the model's files decides its numbers.
std::string text_model_sha256(const std::filesystem::path& model);

// Rows of one pass on their way to a device.
class TokenPack {
  public:
    TokenPack(Device device, std::int64_t tokens);
    // Lays the chosen rows end to end. bad_data when an id or a type is not of the model.
    const EncoderBatch& pack(Stream& stream, const TextModel& model, const TokenRows& rows, Span<const std::size_t> chosen);

  private:
    void append(const TextModel& model, const TokenRows& rows, std::size_t row);
    StagedArena arena_;
    Staged ids_, positions_, types_;
    std::int64_t used_ = 0;
    EncoderBatch batch_;
};

}  // namespace temper
