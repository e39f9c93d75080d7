// Scores of two texts that are read together: an encoder with a classifier over its first token, as sentence-transformers' CrossEncoder has it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/text_model.h"

namespace temper {

class CrossEncoder {
  public:
    struct Options {
        DType dtype = DType::f32;
        std::int64_t max_length = 0;  // tokens of a pair; 0: as the files say
    };
    CrossEncoder(Stream& stream, const std::filesystem::path& model, Options options);

    std::int64_t labels() const { return transformer_->encoder()->config().labels; }
    std::string activation() const { return sigmoid_ ? "sigmoid" : "identity"; }
    const TextRows& texts() const { return *texts_; }
    const TextModel& transformer() const { return *transformer_; }
    DType dtype() const { return options_.dtype; }
    std::string identity() const;  // all that decides the score of a pair, as one hash

    class Pass {
      public:
        Pass(const CrossEncoder& model, Stream& stream, std::int64_t tokens);
        // scores: (rows.size(), labels); those of the chosen rows are written.
        void run(const TokenRows& rows, Span<const std::size_t> chosen, float* scores);

      private:
        void reserve(std::int64_t tokens, std::int64_t rows);
        const CrossEncoder& model_;
        Stream& stream_;
        std::int64_t tokens_ = 0, rows_ = 0;
        std::unique_ptr<HiddenStates> states_;
        std::optional<TokenPack> pack_;
        StagedArena memory_;
        View first_, pooled_;  // (rows, D) f32
        Staged logits_;        // (rows * labels) f32
    };

    // One pass over one token, for what it asks of the stream (model/algorithms.h).
    void rehearse(Stream& stream) const;

  private:
    std::filesystem::path path_;
    Options options_;
    bool sigmoid_ = false;
    std::unique_ptr<TextModel> transformer_;
    std::unique_ptr<TextRows> texts_;
};

}  // namespace temper
