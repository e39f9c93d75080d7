// Metrics of texts against references. A metric turns a row into statistics, and sums of statistics into the value of a set of rows: the value of
// all rows, of one row, and of every resample of a bootstrap come from the same two functions.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "kernels/span.h"

namespace temper {

// Texts are valid UTF-8.
struct TextRow {
    std::string prediction;
    std::vector<std::string> references;  // one or more
    std::string place;                    // of the row, for messages
    const Json* row = nullptr;            // the whole row, for metrics of rankings
};

class TextMetric {
  public:
    virtual ~TextMetric() = default;
    virtual std::string name() const = 0;
    virtual std::string signature() const { return {}; }  // what its number depends on, in sacrebleu's form where that has one
    virtual bool of_texts() const { return true; }        // false: of what the row says was retrieved
    virtual bool higher_is_better() const { return true; }
    virtual bool compares() const { return of_texts(); }  // with references
    // A metric that looks ahead is shown every row by see(), of all systems, and told to prepare() before the first statistics().
    virtual bool looks_ahead() const { return false; }
    virtual void see(const TextRow&) {}
    virtual void prepare() {}
    virtual std::size_t width() const = 0;  // statistics of a row
    virtual void statistics(const TextRow& row, double* to) const = 0;
    virtual double value(const double* sums) const = 0;  // of rows whose statistics are summed
    virtual double row_value(const double* statistics) const { return value(statistics); }
};

// A mean over rows.
class MeanMetric : public TextMetric {
  public:
    std::size_t width() const override { return 2; }
    void statistics(const TextRow& row, double* to) const override {
        to[0] = score(row);
        to[1] = 1.0;
    }
    double value(const double* sums) const override { return sums[0] / sums[1]; }

  protected:
    virtual double score(const TextRow& row) const = 0;
};

struct MetricOptions {
    bool stemmer = false;           // rouge*: Porter's, as NLTK extends it
    bool lowercase = false;         // bleu, chrf, chrf++
    std::string tokenizer = "13a";  // bleu: 13a, intl, char, none
    std::string positive_label;     // precision_binary, recall_binary, f1_binary
    std::string encoder;            // semantic_similarity: a model's directory
    std::string language_model;     // perplexity: the same
};
// Of classes: accuracy, and precision_, recall_ and f1_ with binary, macro, micro or weighted behind them. By models: semantic_similarity, perplexity.
// Of texts: exact_match, json_fields, token_f1, bleu, chrf, chrf++, ter, and rouge1 … rouge9, rougeL, rougeLsum: their F1, with _precision or _recall behind the
// name that part. Of rankings: recall@k, precision@k, hit@k, mrr, mrr@k, map, ndcg, ndcg@k, context_precision, context_precision@k. A usage Error for
// another name.
std::vector<std::unique_ptr<TextMetric>> make_metrics(Span<const std::string> names, const MetricOptions& options);

}  // namespace temper
