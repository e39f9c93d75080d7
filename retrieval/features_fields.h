// The one list of settings of `temper features`: every field with its help and check.
#pragma once
#include "io/settings.h"
#include "retrieval/features_config.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, FeatureSource& source) {
    v("path", source.path, "A folder, a file, rows of documents (.jsonl, .json, .csv, .arrow; .gz, .zst), or a list of URLs (.urls).", not_empty());
    v("kind", source.kind, "What the path is; auto goes by its name: a folder, rows by their endings, .urls, any other file as a folder of one.",
      one_of({"auto", "folder", "rows", "urls"}));
    v("category", source.category, "Category of the source's documents; of rows, of those without a category of their own.", not_empty());
    v("category_field", source.category_field, "Field of rows that holds their category.");
    v("id_field", source.id_field, "Field of rows that holds their id; empty: the first of id, _id, url, link, else a hash of the text.");
    v("text_field", source.text_field,
      "Field of rows that holds the text; empty: the first of text, content, markdown, html, body. A map of texts is "
      "one text with its keys as headings, or, where they are paths of files, one document each.");
    v("text_form", source.text_form,
      "What the texts of rows are; auto goes by the field's name, by the ending of the row's path, filename or id, by the category repository "
      "(code), "
      "else by the text.",
      one_of({"auto", "html", "markdown", "text", "code"}));
    v("metadata_fields", source.metadata_fields, "Fields of rows that are kept as metadata; empty: all others.", not_empty());
    v("metadata", source.metadata, "Metadata of every document of the source.");
    v("include", source.include, "Files taken from a folder, as patterns of .gitignore, or folders whose files are; empty: all that hold text.",
      not_empty());
    v("exclude", source.exclude, "Files left out of a folder, as patterns of .gitignore.", not_empty());
}

template <class Visitor> void describe(Visitor& v, CleaningConfig& cleaning) {
    v("min_characters", cleaning.min_characters, "Shorter texts are dropped, counted as empty and listed.", at_least(1));
    v("max_file_bytes", cleaning.max_file_bytes, "Larger files and pages are passed over and counted.", range(1, 64 << 20)).unit("bytes");
    v("pdf_seconds", cleaning.pdf_seconds, "Time that pdftotext gets for one file.", range(1, 3600)).unit("seconds");
}

template <class Visitor> void describe(Visitor& v, ChunkingConfig& chunking) {
    v("chunk_tokens", chunking.chunk_tokens, "The most of a chunk, special tokens left out; what the model takes at most is a limit as well.",
      range(16, 1 << 20))
        .unit("tokens");
    v("overlap_tokens", chunking.overlap_tokens, "What a chunk shares with the one before, at most half of chunk_tokens.", at_least(0))
        .unit("tokens");
}

template <class Visitor> void describe(Visitor& v, DuplicatesConfig& duplicates) {
    v("near", duplicates.near, "Documents that are nearly another one of their category are left out; equal ones are in any case.");
    v("threshold", duplicates.threshold, "Share of shingles in common (Jaccard) from which a document is a near-duplicate.", range(0.5, 1));
    v("shingle_words", duplicates.shingle_words, "Words of a shingle.", range(1, 32));
}

template <class Visitor> void describe(Visitor& v, EmbeddingConfig& embedding) {
    v("batch_chunks", embedding.batch_chunks, "Chunks given to the model at once; a signal is met between batches.", range(1, 1 << 20))
        .unit("chunks");
    v("part_chunks", embedding.part_chunks, "Chunks after whose embedding they are saved.", range(1, 1 << 24)).unit("chunks");
}

template <class Visitor> void describe(Visitor& v, IndexConfig& index) {
    v("kind", index.kind,
      "How collections are searched: exact reads every vector, hnsw follows a graph that is built once; auto builds one from 200,000 chunks on.",
      one_of({"auto", "exact", "hnsw"}));
}

template <class Visitor> void describe(Visitor& v, FetchConfig& fetch) {
    v("user_agent", fetch.user_agent, "Name given to servers, and looked up in their robots.txt.", not_empty());
    v("seconds_between", fetch.seconds_between, "Least time between two requests to a host; a Crawl-delay of its robots.txt that is longer counts.",
      range(0, 3600))
        .unit("seconds");
    v("timeout_seconds", fetch.timeout_seconds, "Time that a page gets.", range(1, 3600)).unit("seconds");
    v("fresh_seconds", fetch.fresh_seconds, "Pages fetched within this time are not asked for again; older ones are, and loaded where they changed.",
      at_least(0))
        .unit("seconds");
    v("attempts", fetch.attempts, "Times that a page is asked for where the server is in trouble.", range(1, 10));
    v("robots", fetch.robots, "Whether robots.txt is asked for and respected.");
}

template <class Visitor> void describe(Visitor& v, QdrantConfig& qdrant) {
    v("url", qdrant.url, "Server that collections are sent to; empty: none.");
    v("alias_prefix", qdrant.alias_prefix, "Stands before the category in the name of its alias.");
    v("api_key_env", qdrant.api_key_env, "Environment variable that holds the key; empty: none is sent.");
    v("batch_points", qdrant.batch_points, "Points of a request.", range(1, 10000)).unit("points");
}

template <class Visitor> void describe(Visitor& v, FeaturesConfig& config) {
    v("model", config.model, "Directory of the embedding model.", not_empty());
    v("device", config.device, "Where the model runs.", one_of({"auto", "cpu", "cuda"}));
    v("dtype", config.dtype, "Arithmetic of the model.", one_of({"float32", "bfloat16"}));
    v("threads", config.threads, "0 takes OMP_NUM_THREADS or the cores allowed.", range(0, 4096));
    v("store", config.store, "Directory that holds cleaned texts, collections and indexes.", not_empty());
    v("output_dir", config.output_dir, "Where run directories are made.", not_empty());
    v("run_name", config.run_name, "Name of the run, a part of its directory's.", not_empty());
    v.records("sources", config.sources, "path", "Where documents come from.");
    v("categories", config.categories, "Categories that exist without documents as well, as empty collections.", not_empty());
    v("on_bad_document", config.on_bad_document,
      "What cannot be read is listed and skipped, and what the store has of it kept where that is all there is; or it ends the run.",
      one_of({"skip", "fail"}));
    v.section("cleaning", config.cleaning, "Cleaning");
    v.section("chunking", config.chunking, "Chunks");
    v.section("duplicates", config.duplicates, "Duplicates");
    v.section("embedding", config.embedding, "Embedding");
    v.section("index", config.index, "Index");
    v.section("fetch", config.fetch, "Pages named by URLs");
    v.section("qdrant", config.qdrant, "Qdrant");
}

}  // namespace temper
