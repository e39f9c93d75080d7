// The queue of generation requests, and the one thread that answers them: it feeds the slots of a session of the model that a request was
// encoded for. A new version takes the requests that come after it; the old one is let go when its last request is done.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "model/generation_session.h"
#include "serve/api_error.h"
#include "serve/language_model.h"

namespace temper {

// Who asked. Called on the scheduler's thread; must not wait.
class GenerationAnswer {
  public:
    virtual ~GenerationAnswer() = default;
    virtual bool wanted() = 0;                                   // false: nobody waits for it any more
    virtual bool token(const Generated& so_far, bool last) = 0;  // false: no further token is wanted
    virtual void failed(const ApiError& error) = 0;
};

struct GenerationJob {
    std::shared_ptr<const LanguageModel> model;  // that the prompt was encoded for
    std::vector<std::int32_t> prompt;
    std::int64_t max_new_tokens = 256;
    Sampling sampling;
    std::shared_ptr<GenerationAnswer> answer;
};

class Scheduler {
  public:
    Scheduler(std::shared_ptr<const LanguageModel> model, std::int64_t slots, std::int64_t queue_limit);
    ~Scheduler();  // what is not answered fails

    std::shared_ptr<const LanguageModel> model() const;  // for new requests
    // Takes the memory of the new version's slots before anything changes.
    void replace(std::shared_ptr<const LanguageModel> model);
    void submit(GenerationJob job);                            // ApiError 503 when the queue is full
    std::size_t slot_bytes(const LanguageModel& model) const;  // memory of the slots of such a version
    std::int64_t waiting() const;
    std::int64_t running() const;
    std::int64_t versions() const;  // whose requests are under way, or that take new ones

  private:
    struct Live {  // a version with its slots
        std::shared_ptr<const LanguageModel> model;
        std::unique_ptr<GenerationSession> session;                                        // null after a failure, until its memory can be had again
        std::vector<std::pair<std::uint64_t, std::shared_ptr<GenerationAnswer>>> answers;  // of running rows, by key
    };
    void work();
    void admit();
    void step(Live& live);
    static bool tell(GenerationAnswer& answer, const LanguageModel& model, const Generated& so_far, bool last);
    GenerationSession::Limits limits_of(const LanguageModel& model) const;
    void let_go();
    std::unique_ptr<GenerationSession> slots_of(const LanguageModel& model) const;
    bool make_slots(Live& live) const;

    const std::int64_t slots_, queue_limit_;
    mutable std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::shared_ptr<const LanguageModel> model_;
    std::deque<GenerationJob> queue_;
    std::vector<Live> incoming_;
    std::int64_t running_ = 0, versions_ = 1;
    bool ending_ = false;

    std::vector<Live> live_;  // of the thread alone; the last is the newest
    std::uint64_t next_key_ = 0;
    std::thread thread_;
};

}  // namespace temper
