#include "retrieval/answer_journal.h"

#include "io/durable.h"

namespace temper {

AnswerJournal::AnswerJournal(const std::filesystem::path& path) : file_(path) {
    for (const Json& line : MetricsJournal::read_all(path)) {
        JournalEntry entry;
        entry.answer.content = line.value("content", "");
        entry.answer.finish_reason = line.value("finish_reason", "");
        entry.answer.prompt_tokens = line.value("prompt_tokens", std::int64_t(0));
        entry.answer.completion_tokens = line.value("completion_tokens", std::int64_t(0));
        entry.refused = line.value("refused", "");
        if (entries_.emplace(line.value("question", ""), entry).second) count(entry);
    }
}

void AnswerJournal::count(const JournalEntry& entry) {
    prompt_tokens_ += entry.answer.prompt_tokens;
    completion_tokens_ += entry.answer.completion_tokens;
    uncounted_ += entry.refused.empty() && entry.answer.prompt_tokens == 0 && entry.answer.completion_tokens == 0;
}

std::optional<JournalEntry> AnswerJournal::find(const std::string& question) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = entries_.find(sha256_hex(question));
    if (found == entries_.end()) return {};
    return found->second;
}

void AnswerJournal::add(const std::string& question, const std::string& label, const JournalEntry& entry) {
    const std::string key = sha256_hex(question);
    Json line = {{"question", key}, {"label", label}};
    if (entry.refused.empty()) {
        line["content"] = entry.answer.content;
        line["finish_reason"] = entry.answer.finish_reason;
        line["prompt_tokens"] = entry.answer.prompt_tokens;
        line["completion_tokens"] = entry.answer.completion_tokens;
    } else {
        line["refused"] = entry.refused;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!entries_.emplace(key, entry).second) return;  // two chunks with one text, asked at once
    file_.append(line);
    file_.sync();
    count(entry);
}

std::int64_t AnswerJournal::answers() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<std::int64_t>(entries_.size());
}
std::int64_t AnswerJournal::prompt_tokens() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return prompt_tokens_;
}
std::int64_t AnswerJournal::completion_tokens() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return completion_tokens_;
}
std::int64_t AnswerJournal::uncounted() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return uncounted_;
}

}  // namespace temper
