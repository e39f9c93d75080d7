// The one list of settings of an evaluation set: every field with its help and check.
#pragma once
#include "eval/evaluation_set.h"
#include "io/settings.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, SetGeneration& generation) {
    v("max_new_tokens", generation.max_new_tokens, "Longest answer.", at_least(1)).unit("tokens");
    v("temperature", generation.temperature, "0 takes the likeliest token.", at_least(0));
    v("top_p", generation.top_p, "Draws among the likeliest tokens that together reach it.", range(0, 1));
    v("top_k", generation.top_k, "Draws among so many of the likeliest tokens; 0: all.", at_least(0));
    v("seed", generation.seed, "Seed of the draws.", at_least(0));
    v("until", generation.until, "Texts that end an answer; they are left out of it.", not_empty());
}

template <class Visitor> void describe(Visitor& v, MetricOptions& metric) {
    v("stemmer", metric.stemmer, "ROUGE of Porter stems.");
    v("lowercase", metric.lowercase, "BLEU and chrF without case.");
    v("tokenizer", metric.tokenizer, "BLEU's tokens.", one_of({"13a", "intl", "char", "none"}));
    v("positive_label", metric.positive_label, "The positive class of precision_binary, recall_binary and f1_binary.");
    v("encoder", metric.encoder, "Directory of the encoder of semantic_similarity.");
    v("language_model", metric.language_model, "Directory of the model of perplexity.");
}

template <class Visitor> void describe(Visitor& v, JudgeSettings& judge) {
    v("kind", judge.kind, "What is judged: each has a form of verdict.",
      one_of({"faithfulness", "relevance", "hallucination", "preference", "score"}));
    v("name", judge.name, "Its name in the results; null: the kind.");
    v("prompt", judge.prompt, "File of the question, a Jinja template; null: the one that comes with temper for this kind.");
}

template <class Visitor> void describe(Visitor& v, SetSettings& set) {
    v("name", set.name, "Its name in the results; empty: the file's, without .yaml.");
    v("data", set.data, "Files of rows: prompt or messages, and where known id, tags, reference, context.", not_empty());
    v("chat", set.chat, "Prompts that are texts as a user's message: where the model has a chat template, always, or never.",
      one_of({"auto", "yes", "no"}));
    v("system", set.system, "System message in place of the rows' own; null: as they have it.");
    v("prompt", set.prompt, "Jinja template of the prompt over a row's fields, in place of its prompt; null: none.");
    v("prompt_file", set.prompt_file, "File of such a template.");
    v("ids", set.ids, "Only rows with one of these ids; empty: all.", not_empty());
    v("tags", set.tags, "Only rows that have all of these tags.", not_empty());
    v("limit", set.limit, "Rows at most, the first ones; 0: all.", at_least(0));
    v.section("generation", set.generation, "Answers");
    v("metrics", set.metrics, "Metrics of answers against references, as of temper score.", not_empty());
    v.section("metric", set.metric, "How metrics count");
    v.subtree("checks");
    v.records("judges", set.judges, "kind", "Judges that are asked about every answer.");
    v("context_field", set.context_field, "Field of a row with the texts that an answer is to be faithful to.", not_empty());
    v.section("endpoint", set.endpoint, "The judges' endpoint");
    v.records("prices", set.prices, "model", "What tokens cost, in any currency.");
    v("max_cost", set.max_cost, "No further question is asked from this cost on; 0: no limit. Needs prices.", at_least(0));
    v("resamples", set.resamples, "Resamples of the 95% intervals and of p.", range(100, 1000000));
    v("bootstrap_seed", set.bootstrap_seed, "Seed of the resamples.", at_least(0));
}

}  // namespace temper
