#include "retrieval/dataset_asking.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "io/log.h"
#include "io/progress.h"
#include "kernels/error.h"
#include "retrieval/dataset_rows.h"

namespace temper {
namespace {

struct Stopped {};  // thrown out of a wait

// Waits in short naps, so that a signal ends the job soon; an answer under way is waited for, as it is paid for.
void wait_unless(double seconds, const std::function<bool()>& stop) {
    using clock = std::chrono::steady_clock;
    const auto end = clock::now() + std::chrono::duration<double>(seconds);
    for (auto now = clock::now(); now < end; now = clock::now()) {
        if (stop()) throw Stopped();
        std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(end - now, std::chrono::milliseconds(100)));
    }
}

double steady_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class Asker {
  public:
    Asker(const std::vector<DatasetChunk>& chunks, const DatasetConfig& config, AnswerJournal& journal, const std::function<bool()>& stop)
        : chunks_(chunks),
          config_(config),
          journal_(journal),
          stop_([this, stop] { return failed_ || stop(); }),
          questions_(config),
          fields_(config.row_fields()),
          limiter_(config.endpoint.requests_per_second, std::max(1.0, config.endpoint.requests_per_second),
                   {steady_now, [this](double seconds) { wait_unless(seconds, stop_); }}),
          progress_("dataset", static_cast<std::int64_t>(chunks.size())) {
        asked_.outcomes.resize(chunks.size());
    }

    Asked run() {
        const ChatEndpoint endpoint = endpoint_of();
        std::vector<std::thread> threads;
        for (std::int64_t i = 0; i < config_.endpoint.concurrency; ++i) threads.emplace_back([this, &endpoint] { work(endpoint); });
        for (std::thread& thread : threads) thread.join();
        if (failure_) std::rethrow_exception(failure_);
        progress_.finish();
        return std::move(asked_);
    }

  private:
    ChatEndpoint endpoint_of() {
        const DatasetEndpoint& from = config_.endpoint;
        ChatEndpoint endpoint;
        endpoint.base_url = from.base_url;
        endpoint.model = from.model;
        endpoint.api_key = api_key_from(from.api_key_env);
        endpoint.temperature = from.temperature;
        endpoint.max_tokens = from.max_tokens;
        endpoint.parameters = from.parameters;
        endpoint.json_mode = from.json_mode;
        endpoint.timeout = from.timeout;
        endpoint.retries.attempts = static_cast<int>(from.attempts);
        endpoint.retries.sleep = [this](double seconds) { wait_unless(seconds, stop_); };
        endpoint.retries.before_wait = [](const std::string& why, double seconds) { log_warning("{}; again in {:.1f} s", why, seconds); };
        return endpoint;
    }

    void work(const ChatEndpoint& endpoint) {
        try {
            ChatClient client(endpoint, limiter_);
            for (std::size_t i = next_++; i < chunks_.size(); i = next_++) {
                if (stop_()) throw Stopped();
                asked_.outcomes[i] = outcome_of(chunks_[i], client);
                const std::lock_guard<std::mutex> lock(mutex_);
                progress_.update(++done_, journal_.completion_tokens(),
                                 config_.prices.empty() ? "" : fmt::format("cost {:.4f}", cost_of(config_, journal_)));
            }
        } catch (const Stopped&) {
            const std::lock_guard<std::mutex> lock(mutex_);
            asked_.stopped = true;
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            failed_ = true;
        }
    }

    // From the journal, else from the endpoint. Nothing where max_cost forbids to ask.
    std::optional<JournalEntry> answer_to(const Json& messages, const DatasetChunk& chunk, ChatClient& client) {
        const std::string question = client.body(messages);
        if (auto known = journal_.find(question)) return known;
        if (config_.max_cost > 0 && cost_of(config_, journal_) >= config_.max_cost) return {};
        JournalEntry entry;
        try {
            entry.answer = client.ask(question);
            refused_in_a_row_ = 0;
        } catch (const ChatRefused& refused) {
            constexpr int many = 5;
            if (++refused_in_a_row_ >= many)
                throw_error(ExitCode::io_error, "{} questions in a row were refused, the last: {}", many, refused.what());
            entry.refused = refused.what();
        }
        journal_.add(question, chunk.chunk.id, entry);
        return entry;
    }

    ChunkOutcome outcome_of(const DatasetChunk& chunk, ChatClient& client) {
        ChunkOutcome outcome;
        Json messages = questions_.messages(chunk);
        for (int turn = 0; turn < 2; ++turn) {
            const auto entry = answer_to(messages, chunk, client);
            if (!entry) return {};
            outcome.kind = ChunkOutcome::Kind::rejected;
            outcome.reason = entry->refused;
            if (!entry->refused.empty()) return outcome;
            try {
                outcome.rows = rows_of_answer(entry->answer.content, fields_, config_.rows_per_chunk);
                outcome.kind = ChunkOutcome::Kind::rows;
                outcome.repaired = turn > 0;
                return outcome;
            } catch (const Error& error) {
                outcome.reason = error.what();
                if (entry->answer.finish_reason == "length") outcome.reason += " (the answer was cut at endpoint.max_tokens)";
            }
            messages.push_back({{"role", "assistant"}, {"content", entry->answer.content}});
            messages.push_back({{"role", "user"}, {"content", repair_question(outcome.reason, fields_)}});
        }
        log_warning("{} {}: rejected: {}", chunk.category, chunk.chunk.id, outcome.reason);
        return outcome;
    }

    const std::vector<DatasetChunk>& chunks_;
    const DatasetConfig& config_;
    AnswerJournal& journal_;
    std::atomic<bool> failed_{false};
    std::function<bool()> stop_;
    DatasetQuestions questions_;
    std::vector<std::string> fields_;
    RateLimiter limiter_;
    Progress progress_;
    Asked asked_;
    std::atomic<std::size_t> next_{0};
    std::atomic<int> refused_in_a_row_{0};
    std::int64_t done_ = 0;
    std::mutex mutex_;
    std::exception_ptr failure_;
};

}  // namespace

double cost_of(const DatasetConfig& config, const AnswerJournal& journal) {
    for (const TokenPrice& price : config.prices)
        if (price.model == config.endpoint.model)
            return (price.input * static_cast<double>(journal.prompt_tokens()) + price.output * static_cast<double>(journal.completion_tokens())) /
                   1e6;
    return 0;
}

Asked ask_about(const std::vector<DatasetChunk>& chunks, const DatasetConfig& config, AnswerJournal& journal, const std::function<bool()>& stop) {
    return Asker(chunks, config, journal, stop).run();
}

}  // namespace temper
