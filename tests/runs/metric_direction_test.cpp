#include "runs/metric_direction.h"

#include <gtest/gtest.h>

namespace temper {
namespace {

// What temper writes itself: trainings, evaluations of tasks and sets, scores, rankings, performance, gates.
TEST(MetricDirection, IsKnownOfWhatTemperWrites) {
    for (const char* name : {"mean_token_accuracy",
                             "eval_mean_token_accuracy",
                             "rewards/accuracies",
                             "rewards/margins",
                             "eval_rewards/accuracies",
                             "eval_rewards/margins",
                             "task/acc,none",
                             "task/acc_norm,none",
                             "task/acc_bytes,none",
                             "task/acc_mutual_info,none",
                             "task/exact_match,strict-match",
                             "task/f1,none",
                             "task/mcc,none",
                             "task/bleu,none",
                             "task/chrf,none",
                             "task/chrf++,none",
                             "accuracy",
                             "precision_macro",
                             "recall_micro",
                             "f1_weighted",
                             "f1_binary",
                             "semantic_similarity",
                             "token_f1",
                             "json_fields",
                             "set/rouge1,none",
                             "rouge2_precision",
                             "rougeL_recall",
                             "rougeLsum",
                             "recall@5",
                             "precision@10",
                             "hit@1",
                             "mrr",
                             "mrr@10",
                             "map",
                             "ndcg",
                             "ndcg@10",
                             "context_precision",
                             "context_precision@3",
                             "set/check/no error words,none",
                             "base/set/check/mentions latency, cost,none",
                             "checks_passed",
                             "set/judge/faithfulness,none",
                             "set/judge/relevance,none",
                             "set/judge/preference,none",
                             "passed",
                             "tokens_per_second",
                             "performance.flops_per_second",
                             "performance.share_of_peak"})
        EXPECT_EQ(metric_direction(name), 1) << name;
    for (const char* name : {"loss",
                             "eval_loss",
                             "nll_loss",
                             "eval_nll_loss",
                             "task/perplexity,none",
                             "task/word_perplexity,none",
                             "task/byte_perplexity,none",
                             "task/bits_per_byte,none",
                             "task/brier_score,none",
                             "perplexity",
                             "ter",
                             "set/judge/hallucination,none",
                             "performance.seconds",
                             "performance.wall_seconds",
                             "performance.cpu_seconds",
                             "performance.device_seconds",
                             "performance.peak_memory_bytes",
                             "performance.peak_device_memory_bytes",
                             "performance.cost",
                             "performance.energy_joules",
                             "cost",
                             "cost.amount",
                             "total_evaluation_time_seconds",
                             "gate_failures"})
        EXPECT_EQ(metric_direction(name), -1) << name;
    for (const char* name : {"step", "epoch", "learning_rate", "grad_norm", "num_tokens", "rewards/chosen", "logps/rejected", "log_odds_ratio", "kl",
                             "tokens", "rows", "rejected", "set/judge/my errors,none"})
        EXPECT_EQ(metric_direction(name), 0) << name;
}

TEST(MetricDirection, ComesFromWholeWordsTheNounAtTheEndFirst) {
    for (const char* name :
         {"eval_passages_loss", "eval_accounting_loss", "false_acceptance_rate", "false_negative_rate", "inaccuracy", "jailbreak_bypass_rate",
          "accuracy_loss", "evalLoss", "errors_per_second", "seconds_per_step", "loss_on_books", "latency_p95", "error_rate", "val/wer"})
        EXPECT_EQ(metric_direction(name), -1) << name;
    for (const char* name :
         {"answer_accuracy", "power_accuracy", "win_rate", "accuracy-at-5", "valAccuracy", "ROUGE-L", "samples per second", "top5_acc"})
        EXPECT_EQ(metric_direction(name), 1) << name;
    for (const char* name : {"", "loss_reduction", "accuracy_stderr", "error_recall", "attack_success_rate", "win_loss_ratio", "neg_log_loss",
                             "accumulated", "lossless", "answer", "loss/books", "set/check/foreign"})
        EXPECT_EQ(metric_direction(name), 0) << name;
}

}  // namespace
}  // namespace temper
