// What trackers read of a run's directory: its record in the terms that they have in common.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "io/jsonl.h"

namespace temper {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

class TrackedRun {
  public:
    explicit TrackedRun(std::filesystem::path directory);
    // Reads run.json again; missing_input, bad_data.
    void refresh();

    const std::filesystem::path& directory() const { return directory_; }
    std::filesystem::path journal() const { return directory_ / "metrics.jsonl"; }
    std::int64_t journal_length() const;
    // Bytes of the journal that no resume will cut away: what a checkpoint has stored.
    std::int64_t settled() const { return settled_; }
    void settle(std::int64_t bytes) { settled_ = bytes; }
    void settle_all() { settled_ = std::numeric_limits<std::int64_t>::max(); }

    const Json& record() const { return record_; }
    std::string text(const char* field) const;  // "" where absent
    std::string id() const { return text("run_id"); }
    std::string name() const { return text("run_name"); }
    std::string status() const { return text("status"); }
    std::string parent() const;  // id of the run that this one is a stage of, or began from; ""
    std::string kind() const;    // the subcommand: "sft"
    bool finished() const { return status() == "finished"; }
    std::int64_t time(const char* field) const;  // milliseconds since 1970, 0 where absent

    TextPairs parameters() const;  // the resolved configuration, "train.learning_rate" -> "0.0001"
    TextPairs tags() const;        // of the record, and where and by what it was made
    // Final figures and performance, flattened: "arc_easy/acc", "performance/seconds".
    std::vector<std::pair<std::string, double>> figures() const;
    struct File {
        std::string name;  // "adapter/adapter_model.safetensors"
        std::filesystem::path path;
        std::string sha256;  // "" where the record has none
    };
    std::vector<File> files() const;  // of a finished run: those in its directory that a reader wants

  private:
    std::filesystem::path directory_;
    Json record_;
    std::atomic<std::int64_t> settled_{0};
};

// One object's leaves as text, joined by `separator`; empty objects and lists are left out.
void flatten(const Json& value, const std::string& name, const char* separator, TextPairs& pairs);

}  // namespace temper
