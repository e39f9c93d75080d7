// An evaluation set: rows with ids and tags, how a model is asked, and how its answers are graded, declared in one YAML file:
//     name: tickets
//     data: tickets.jsonl                 # rows {"id", "tags", "prompt" or "messages", "reference"}; .json, .csv …
//     generation: {max_new_tokens: 80}
//     metrics: [exact_match, rouge1]
//     checks: [{json: object}, {sentences: 3, when: {tags: [tldr]}}]
//     judges: [faithfulness, preference]
//     endpoint: {base_url: "http://…/v1", model: judge}
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/hard_checks.h"
#include "eval/text_metric.h"
#include "io/http/chat_settings.h"

namespace temper {

struct SetGeneration {
    std::int64_t max_new_tokens = 256;
    double temperature = 0.0, top_p = 1.0;
    std::int64_t top_k = 0, seed = 42;
    std::vector<std::string> until;
};

struct JudgeSettings {
    std::string kind;                         // faithfulness, relevance, hallucination, preference, score
    std::optional<std::string> name, prompt;  // the kind's unless given
};

struct SetSettings {
    std::string name;  // the file's stem unless given
    std::vector<std::string> data;
    std::string chat = "auto";
    std::optional<std::string> system, prompt, prompt_file;
    std::vector<std::string> ids, tags;
    std::int64_t limit = 0;
    SetGeneration generation;
    std::vector<std::string> metrics;
    MetricOptions metric;
    std::vector<JudgeSettings> judges;
    std::string context_field = "context";
    EndpointSettings endpoint;
    std::vector<TokenPrice> prices;
    double max_cost = 0;
    std::int64_t resamples = 1000, bootstrap_seed = 12345;
};

// What the command line takes of a set's rows, beside what its file says.
struct RowFilter {
    std::vector<std::string> ids, tags;
    std::int64_t limit = 0;  // 0: all
};

struct SetRow {
    std::string id;
    std::vector<std::string> tags;
    Json fields;  // the whole row, with "reference" also where it stood in "completion" or "messages"
    Json prompt;  // text or messages
    std::string place;
};

class EvaluationSet {
  public:
    // usage with file, line and column for a setting that is not understood; missing_input and bad_data for its rows.
    EvaluationSet(const std::filesystem::path& file, const RowFilter& filter);

    const std::filesystem::path& file() const { return file_; }
    const SetSettings& settings() const { return settings_; }
    const std::vector<SetRow>& rows() const { return rows_; }
    std::int64_t all_rows() const { return all_rows_; }  // without filters
    const HardChecks* checks() const { return checks_.get(); }
    const std::vector<std::filesystem::path>& data() const { return data_; }
    std::vector<std::string> tags() const;  // of its rows, in the order of their first row
    Json json() const;                      // resolved settings, as the record shows them
    std::string identity() const;           // of all that decides grades but the answers

  private:
    void read_settings();
    void read_rows(const RowFilter& filter);
    std::filesystem::path beside(const std::string& path) const;

    std::filesystem::path file_;
    std::string text_;
    SetSettings settings_;
    std::unique_ptr<HardChecks> checks_;
    std::vector<std::filesystem::path> data_;
    std::vector<SetRow> rows_;
    std::int64_t all_rows_ = 0;
    Json checks_json_;
};

std::string evaluation_set_help();

}  // namespace temper
