// Prompts with their answers, scored and differentiated a micro-batch at a time: the log-probability of every answer behind its prompt, under the
// policy and, where wanted, under the frozen model in the same pass.
//
// Shared, a prompt with two answers is laid out once: all of it but its last token, then each answer behind a copy of that last token, as two
// documents that both see what lies before. Linear layers meet a prompt's tokens once, and the prompt receives the gradients of both answers.
// Apart, every answer has a prompt of its own. Both are the same function; sums are paired differently, so that bits differ.
// The last token of an answer predicts nothing and is not computed.
#pragma once
#include <array>
#include <vector>

#include "kernels/staged.h"
#include "model/decoder.h"
#include "train/objective.h"

namespace temper {

struct PromptAnswers {
    Span<const std::int32_t> prompt;
    std::array<Span<const std::int32_t>, 2> answers;
    int count = 1;                       // of answers
    bool policy = true, frozen = false;  // who scores them
    bool shared = true;

    std::int64_t tokens() const;  // that are computed
    // That are predicted: all, or all but the first of a sequence without a prompt.
    std::int64_t labels(int answer) const;
    std::int64_t labels() const;  // of all answers
    RowSize size() const { return {tokens(), labels()}; }
};

class AnswerBatch {
  public:
    // Buffers of this size, and as many tokens and labels for the frozen model if wanted.
    AnswerBatch(const Decoder& decoder, ObjectiveSize size, bool frozen);
    static std::size_t predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, ObjectiveSize size, bool frozen);

    // leaves: ranges of items. With `gradient` backward() may follow.
    void forward(Span<const PromptAnswers> items, Span<const Range> leaves, bool gradient);
    // Sums of log-probabilities over the tokens of an answer, and how many of these tokens were the likeliest.
    double policy(std::size_t item, int answer) const { return policy_[2 * item + static_cast<std::size_t>(answer)].logp; }
    double frozen(std::size_t item, int answer) const { return frozen_[2 * item + static_cast<std::size_t>(answer)].logp; }
    std::int64_t correct(std::size_t item, int answer) const { return policy_[2 * item + static_cast<std::size_t>(answer)].correct; }
    // d_policy: derivative of the loss by policy(item, answer), two an item. Adapter gradients, one row a leaf, are in gradients() then.
    void backward(Span<const double> d_policy);
    View gradients() const { return d_adapter_; }  // (leaves, P) f32

  private:
    struct Score {
        std::int64_t first_label = 0, labels = 0, correct = 0;
        double logp = 0.0;
    };
    void cut(StagedArena& arena);
    void check_room(Span<const PromptAnswers> items) const;
    void lay_out(Span<const PromptAnswers> items, Span<const Range> leaves);
    void make_up(std::int64_t first_token, std::size_t first_label);
    void give();
    void pass(bool gradient);
    void add_item(const PromptAnswers& item, Score* scores);
    void add_segment(std::int64_t begin, std::int64_t prefix_begin, std::int64_t prefix_length);
    void add_tokens(Span<const std::int32_t> ids, std::int64_t first_position);
    void add_answer(const PromptAnswers& item, int answer, Score& score);
    void score(std::vector<Score>& scores) const;

    const Decoder* decoder_;
    ObjectiveSize size_;
    bool training_, has_frozen_;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, needed_, nll_, correct_;
    View d_hidden_, d_adapter_;
    TokenBatch batch_, policy_batch_;  // all tokens; those of the policy
    std::int64_t at_ = 0;              // tokens laid out
    std::vector<std::int32_t> label_rows_, labels_;
    std::int64_t policy_labels_ = 0;
    std::vector<Score> policy_, frozen_;  // two an item
    std::vector<float> factors_;
};

}  // namespace temper
