// What is said of rows that were read: how many of them, of which files, and what became of those that are not trained on.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Figures that rows of preferences have beside the others. "Dropped" rows are trained on nowhere; `identical` and `empty` count kept ones too.
struct PreferenceReport {
    std::int64_t identical = 0, dropped_identical = 0;  // chosen and rejected are the same tokens, after truncation
    std::int64_t empty = 0, dropped_empty = 0;          // an answer without text
    std::int64_t dropped_prompt = 0;                    // the prompt alone fills max_length
    std::int64_t prompt_elsewhere = 0;                  // taken from the answers: nothing in common, or beside a field that may be it
    std::int64_t prompt_end_left_out = 0;               // the prompt alone has other last tokens than it has before its answers
    std::int64_t no_end_token_rejected = 0;             // no_end_token of DataReport is of the chosen answer
    std::int64_t desirable = 0, undesirable = 0;        // labels, of unpaired rows
    std::int64_t longest_row = 0;                       // prompt and every answer behind it
};

struct DataReport {
    std::int64_t rows = 0;       // read
    std::int64_t kept = 0;       // trained on, each time that a row is drawn
    std::int64_t not_drawn = 0;  // left out by a weight below 1
    std::int64_t repeated = 0;   // drawn once more by a weight above 1
    std::int64_t tokens = 0, supervised = 0;
    std::int64_t truncated = 0, tokens_cut = 0;
    std::int64_t dropped_overlong = 0;      // on_overlong: drop
    std::int64_t dropped_unsupervised = 0;  // nothing left to learn from
    std::int64_t no_end_token = 0;          // last supervised token is not an end token: the model will not learn to stop
    std::int64_t several_bos = 0;           // rows with more than one BOS
    std::int64_t longest = 0;               // sequence: a row, or a prompt with one answer
    std::optional<PreferenceReport> preference;
};

struct DataSource {
    std::string path, sha256;
    std::int64_t rows = 0;                      // read
    std::string format;                         // "JSONL, gzip"
    std::map<std::string, std::int64_t> forms;  // rows of each form that was recognised: "messages", "ShareGPT", "Alpaca as text" ...
};

Json report_to_json(const DataReport& report);
DataReport report_from_json(const Json& json);
Json source_to_json(const DataSource& source);
DataSource source_from_json(const Json& json);
// The report with a list of the files, as the record and a dry run hold it.
Json data_report_json(const DataReport& report, const std::vector<DataSource>& sources, const std::string& template_sha256);
template <class Data> Json data_report(const Data& data) { return data_report_json(data.report(), data.sources(), data.template_sha256()); }
// The same for a reader; warnings for what a model would learn wrong.
void log_data_report(const std::string& role, const DataReport& report, const std::vector<DataSource>& sources);

}  // namespace temper
