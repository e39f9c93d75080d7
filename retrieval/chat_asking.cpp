#include "retrieval/chat_asking.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "io/log.h"
#include "io/progress.h"
#include "kernels/error.h"
#include "retrieval/unasked_run.h"

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
    Asker(const std::vector<ChatQuestion>& questions, const ChatAsking& asking, AnswerJournal& journal)
        : questions_(questions),
          asking_(asking),
          journal_(journal),
          stop_([this] { return failed_ || asking_.stop(); }),
          limiter_(asking.endpoint.requests_per_second, std::max(1.0, asking.endpoint.requests_per_second),
                   {steady_now, [this](double seconds) { wait_unless(seconds, stop_); }}),
          progress_(asking.progress, static_cast<std::int64_t>(questions.size())) {
        asked_.outcomes.resize(questions.size());
    }

    ChatAsked run() {
        ChatEndpoint endpoint = chat_endpoint(asking_.endpoint);
        endpoint.retries.sleep = [this](double seconds) { wait_unless(seconds, stop_); };
        endpoint.retries.before_wait = [](const std::string& why, double seconds) { log_warning("{}; again in {:.1f} s", why, seconds); };
        std::vector<std::thread> threads;
        for (std::int64_t i = 0; i < asking_.endpoint.concurrency; ++i) threads.emplace_back([this, &endpoint] { work(endpoint); });
        for (std::thread& thread : threads) thread.join();
        if (failure_) std::rethrow_exception(failure_);
        progress_.finish();
        return std::move(asked_);
    }

  private:
    double cost() const { return journal_cost(journal_, asking_.prices, asking_.endpoint.model); }

    void work(const ChatEndpoint& endpoint) {
        try {
            ChatClient client(endpoint, limiter_);
            for (std::size_t i = next_++; i < questions_.size(); i = next_++) {
                if (stop_()) throw Stopped();
                asked_.outcomes[i] = outcome_of(i, client);
                const std::lock_guard<std::mutex> lock(mutex_);
                progress_.update(++done_, journal_.completion_tokens() - tokens_before_,
                                 asking_.prices.empty() ? "" : fmt::format("cost {:.4f}", cost()));
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
    std::optional<JournalEntry> answer_to(const Json& messages, const std::string& label, ChatClient& client) {
        const std::string question = client.body(messages);
        if (auto known = journal_.find(question)) return known;
        if (!may_ask(asking_.max_cost, cost())) return {};
        check_counted();
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
        journal_.add(question, label, entry);
        check_counted();
        return entry;
    }

    // A cost that nobody counts has no limit.
    void check_counted() const {
        if (asking_.max_cost > 0 && journal_.uncounted() > 0)
            throw_error(
                ExitCode::usage,
                "{}: it answers without \"usage\" (prompt_tokens, completion_tokens), so that max_cost {} cannot be kept; the answers so far are "
                "kept; set max_cost to 0 to go on without a limit",
                shown_url(asking_.endpoint.base_url), asking_.max_cost);
    }

    ChatOutcome outcome_of(std::size_t index, ChatClient& client) {
        ChatOutcome outcome;
        const ChatQuestion& question = questions_[index];
        Json messages = question.messages;
        for (int turn = 0; turn < 2; ++turn) {
            const auto entry = answer_to(messages, question.label, client);
            if (!entry) return {};
            outcome.kind = ChatOutcome::Kind::rejected;
            outcome.reason = entry->refused;
            if (!entry->refused.empty()) return outcome;
            try {
                asking_.take(index, entry->answer.content);
                outcome.kind = ChatOutcome::Kind::taken;
                outcome.repaired = turn > 0;
                return outcome;
            } catch (const Error& error) {
                outcome.reason = error.what();
                if (entry->answer.finish_reason == "length") outcome.reason += " (the answer was cut at endpoint.max_tokens)";
            }
            messages.push_back({{"role", "assistant"}, {"content", entry->answer.content}});
            messages.push_back({{"role", "user"}, {"content", asking_.repair(index, outcome.reason)}});
        }
        log_warning("{}: rejected: {}", question.label, outcome.reason);
        return outcome;
    }

    const std::vector<ChatQuestion>& questions_;
    const ChatAsking& asking_;
    AnswerJournal& journal_;
    std::atomic<bool> failed_{false};
    std::function<bool()> stop_;
    RateLimiter limiter_;
    Progress progress_;
    ChatAsked asked_;
    std::atomic<std::size_t> next_{0};
    std::atomic<int> refused_in_a_row_{0};
    std::int64_t done_ = 0, tokens_before_ = journal_.completion_tokens();
    std::mutex mutex_;
    std::exception_ptr failure_;
};

}  // namespace

double token_cost(const std::vector<TokenPrice>& prices, const std::string& model, std::int64_t prompt_tokens, std::int64_t completion_tokens) {
    const TokenPrice* const price = price_of(prices, model);
    if (price == nullptr) return 0;
    return (price->input * static_cast<double>(prompt_tokens) + price->output * static_cast<double>(completion_tokens)) / 1e6;
}

double journal_cost(const AnswerJournal& journal, const std::vector<TokenPrice>& prices, const std::string& model) {
    return token_cost(prices, model, journal.prompt_tokens(), journal.completion_tokens());
}

ChatAsked ask_questions(const std::vector<ChatQuestion>& questions, const ChatAsking& asking, AnswerJournal& journal) {
    return Asker(questions, asking, journal).run();
}

}  // namespace temper
