// The one list of settings of `temper dataset`: every field with its help and check.
#pragma once
#include "io/settings.h"
#include "retrieval/dataset_config.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, DatasetPrompts& prompts) {
    v("user", prompts.user, "File of the question asked of each chunk, a Jinja template: text, metadata, category, document, rows, fields.",
      not_empty());
    v("system", prompts.system, "File of the system message, with the same names; null: none.");
}

template <class Visitor> void describe(Visitor& v, DatasetConfig& config) {
    v("store", config.store, "Directory that temper features filled.", not_empty());
    v("kind", config.kind, "instruct: prompt and completion; preference: prompt, chosen and rejected.", one_of({"instruct", "preference"}));
    v("form", config.form, "Rows as lists of messages, for models with a chat template, or as texts.", one_of({"messages", "text"}));
    v("categories", config.categories, "Categories whose chunks are asked about; empty: all.", not_empty());
    v("filters", config.filters, "Conditions on the chunks' metadata, as of temper search.", not_empty());
    v("max_chunks", config.max_chunks, "Chunks at most, spread over all; 0: every one.", at_least(0));
    v("min_characters", config.min_characters, "Chunks whose text has fewer bytes are passed over.", at_least(1));
    v("rows_per_chunk", config.rows_per_chunk, "Rows asked for, the name rows of the templates; further ones are left out.", range(1, 100));
    v("test_share", config.test_share, "Share of the documents whose rows are for testing.", half_open(0, 1));
    v("max_cost", config.max_cost, "No further question is asked from this cost on; 0: no limit. Needs prices.", at_least(0));
    v("seed", config.seed, "Decides the split and the choice of max_chunks.", at_least(0));
    v.section("prompts", config.prompts, "Prompts");
    v.section("endpoint", config.endpoint, "Endpoint");
    v.records("prices", config.prices, "model", "What tokens cost, in any currency.");
    v("output_dir", config.output_dir, "Where run directories are made.", not_empty());
    v("run_name", config.run_name, "Name of the run, a part of its directory's.", not_empty());
}

}  // namespace temper
