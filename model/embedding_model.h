// Vectors of texts as a model's directory says: its transformer, pooling, dense layers and norm. A vector depends on its text alone.
#pragma once
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/int8_scales.h"
#include "model/sentence_settings.h"
#include "model/text_model.h"

namespace temper {

class EmbeddingModel {
  public:
    enum class Normalize : std::uint8_t { as_files_say, yes, no };
    struct Options {
        DType dtype = DType::f32;
        std::int64_t dimensions = 0;  // the first so many numbers of a vector; 0: as the files say
        Normalize normalize = Normalize::as_files_say;
        std::optional<ops::Pooling> pooling;  // in the files' place
        std::int64_t max_length = 0;          // tokens of a text; 0: as the files say
        std::optional<Int8Scales> int8;       // 8-bit integers in the linears, beside dtype
    };
    // `stream` loads the weights, and runs a model that is not shared.
    EmbeddingModel(Stream& stream, const std::filesystem::path& model, Options options);

    std::int64_t dimensions() const { return dimensions_; }
    bool normalized() const;
    std::string pooling() const;  // names of its modes, joined by '+'
    DType dtype() const { return options_.dtype; }
    const std::filesystem::path& path() const { return path_; }
    const std::optional<Int8Scales>& int8() const { return options_.int8; }
    std::string model_sha256() const;
    // All that decides the numbers of a vector but the text and its prompt, as one hash.
    std::string identity() const;

    const TextRows& texts() const { return *texts_; }
    const TextModel& transformer() const { return *transformer_; }
    const SentenceSettings& settings() const { return settings_; }
    // The prompt of this name, or (no name) the default one; usage names those that there are.
    std::string prompt(const std::string& name) const;
    // Tokens that a text's row begins with and that are not pooled, for a text behind this prompt.
    std::int32_t skipped_tokens(const std::string& prompt) const;

    // One stream's memory for passes of about `tokens` tokens; longer texts take more.
    class Pass {
      public:
        Pass(const EmbeddingModel& model, Stream& stream, std::int64_t tokens);
        // vectors: (rows.size(), dimensions), row by row; those of the chosen rows are written.
        void run(const TokenRows& rows, Span<const std::size_t> chosen, float* vectors);
        std::int64_t tokens() const { return tokens_; }

      private:
        void reserve(std::int64_t tokens, std::int64_t rows);
        View pooled(const TokenRows& rows, Span<const std::size_t> chosen);  // (S, last width), on the device
        const EmbeddingModel& model_;
        Stream& stream_;
        std::int64_t tokens_ = 0, rows_ = 0;
        std::unique_ptr<HiddenStates> states_;
        std::optional<TokenPack> pack_;
        Arena arena_;
        std::vector<View> widths_;  // (rows, width): pooled, and behind each dense layer
        StagedArena result_memory_;
        Staged result_;
    };

    // One pass over one token, for what it asks of the stream (model/algorithms.h).
    void rehearse(Stream& stream) const;

  private:
    struct Dense {
        PreparedLinear linear;
        std::optional<Pointwise> activation;
    };
    void load_dense(Stream& stream);
    void finish(float* vector) const;  // of `width_` numbers: cut, normed

    std::filesystem::path path_;
    Options options_;
    SentenceSettings settings_;
    std::unique_ptr<TextModel> transformer_;
    std::unique_ptr<TextRows> texts_;
    std::vector<Dense> dense_;
    std::int64_t width_ = 0, dimensions_ = 0;
    std::shared_future<std::string> transformer_sha256_;  // reading all of it takes as long as loading it does, and goes on beside
};

// At most so many tokens of a text: what is asked for, what the files say, what the model takes.
std::int64_t text_limit(const SentenceSettings& settings, const Tokenizer& tokenizer, std::int64_t longest, std::int64_t wanted);
Tokenizer load_text_tokenizer(const std::filesystem::path& model, bool lower_case);

}  // namespace temper
