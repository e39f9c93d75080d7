// Every answer that was paid for, in a file of lines, by the SHA-256 of its question: a job that goes on asks none of them again.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "io/http/chat_client.h"
#include "runs/metrics_journal.h"

namespace temper {

struct JournalEntry {
    ChatAnswer answer;
    std::string refused;  // why the endpoint did not answer; empty: it did
};

// Thread-safe.
class AnswerJournal {
  public:
    explicit AnswerJournal(const std::filesystem::path& path);  // what stands there is read
    std::optional<JournalEntry> find(const std::string& question) const;
    void add(const std::string& question, const std::string& label, const JournalEntry& entry);  // on the disk before it returns

    std::int64_t answers() const;  // and refusals
    std::int64_t prompt_tokens() const;
    std::int64_t completion_tokens() const;
    std::int64_t uncounted() const;  // answers of an endpoint that did not say how many tokens they were

  private:
    void count(const JournalEntry& entry);
    mutable std::mutex mutex_;
    MetricsJournal file_;
    std::map<std::string, JournalEntry> entries_;
    std::int64_t prompt_tokens_ = 0, completion_tokens_ = 0, uncounted_ = 0;
};

}  // namespace temper
