#include "serve/scheduler.h"

#include <algorithm>

#include "io/log.h"

namespace temper {

Scheduler::Scheduler(std::shared_ptr<const LanguageModel> model, std::int64_t slots, std::int64_t queue_limit)
    : slots_(slots), queue_limit_(queue_limit), model_(std::move(model)) {
    live_.push_back({model_, slots_of(*model_), {}});
    thread_ = std::thread([this] { work(); });
}

Scheduler::~Scheduler() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
    const ApiError ended = overloaded("the server ends");
    for (const Live& live : live_)
        for (const auto& [key, answer] : live.answers) answer->failed(ended);
    for (const GenerationJob& job : queue_) job.answer->failed(ended);
}

std::shared_ptr<const LanguageModel> Scheduler::model() const {
    const std::lock_guard lock(mutex_);
    return model_;
}

void Scheduler::replace(std::shared_ptr<const LanguageModel> model) {
    Live live{model, slots_of(*model), {}};
    {
        const std::lock_guard lock(mutex_);
        incoming_.push_back(std::move(live));
        model_ = std::move(model);
    }
    changed_.notify_all();
}

void Scheduler::submit(GenerationJob job) {
    {
        const std::lock_guard lock(mutex_);
        if (static_cast<std::int64_t>(queue_.size()) >= queue_limit_ + slots_ - std::min(running_, slots_))
            throw overloaded(fmt::format("{} requests are under way and {} wait: ask again later", running_, queue_.size()));
        queue_.push_back(std::move(job));
    }
    changed_.notify_all();
}

std::int64_t Scheduler::waiting() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int64_t>(queue_.size());
}

std::int64_t Scheduler::running() const {
    const std::lock_guard lock(mutex_);
    return running_;
}

std::int64_t Scheduler::versions() const {
    const std::lock_guard lock(mutex_);
    return versions_;
}

std::unique_ptr<GenerationSession> Scheduler::slots_of(const LanguageModel& model) const {
    return std::make_unique<GenerationSession>(model.decoder(), model.end_ids(), limits_of(model));
}

GenerationSession::Limits Scheduler::limits_of(const LanguageModel& model) const {
    return {slots_, model.max_context(), std::min<std::int64_t>(2048, model.max_context())};
}

std::size_t Scheduler::slot_bytes(const LanguageModel& model) const { return GenerationSession::predict_bytes(model.decoder(), limits_of(model)); }

// After a pass that failed there may be no memory, or the device may be lost: then every request asks for the slots once more.
bool Scheduler::make_slots(Live& live) const {
    try {
        live.session = slots_of(*live.model);
        return true;
    } catch (const std::exception& error) {
        log_error("{}: {}", live.model->fingerprint(), error.what());
        return false;
    }
}

void Scheduler::work() {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            const auto busy = [&] { return ending_ || !incoming_.empty() || !queue_.empty() || running_ > 0; };
            if (live_.size() == 1) changed_.wait(lock, busy);
            else changed_.wait_for(lock, std::chrono::milliseconds(100), busy);  // an old version is let go when nobody holds it
            if (ending_) return;
            for (Live& live : incoming_) live_.push_back(std::move(live));
            incoming_.clear();
        }
        admit();
        for (Live& live : live_)
            if (live.session && !live.session->empty()) step(live);
        let_go();
    }
}

// In the order of asking, as far as there are slots.
void Scheduler::admit() {
    const std::lock_guard lock(mutex_);
    std::erase_if(queue_, [](const GenerationJob& job) { return !job.answer->wanted(); });
    while (!queue_.empty()) {
        GenerationJob& job = queue_.front();
        const auto live = std::find_if(live_.begin(), live_.end(), [&](const Live& one) { return one.model == job.model; });
        if (live == live_.end()) return;  // it came in just now
        GenerationRow row{next_key_, std::move(job.prompt), job.max_new_tokens, job.sampling, 0};
        try {
            if (!live->session && !make_slots(*live)) throw std::runtime_error("its slots could not be made again");
            if (!live->session->admit(row)) {
                job.prompt = std::move(row.prompt);
                return;
            }
            live->answers.emplace_back(next_key_++, job.answer);
            ++running_;
        } catch (const std::exception& error) {
            job.answer->failed({500, error.what()});
        }
        queue_.pop_front();
    }
}

// False: its row is done. What goes wrong with one answer is that one's alone.
bool Scheduler::tell(GenerationAnswer& answer, const LanguageModel& model, const Generated& so_far, bool last) {
    try {
        if (!answer.wanted()) return false;
        if (so_far.failure.empty()) return answer.token(so_far, last);
        log_error("{}: {}", model.fingerprint(), so_far.failure);
        answer.failed({500, "the model failed: its logits are not finite"});
    } catch (const std::exception& error) {
        log_error("{}: {}", model.fingerprint(), error.what());
        answer.failed({500, error.what()});
    }
    return false;
}

void Scheduler::step(Live& live) {
    std::int64_t done = 0;
    const auto told = [&](std::uint64_t key, const Generated& so_far, bool last) {
        const auto found = std::find_if(live.answers.begin(), live.answers.end(), [&](const auto& entry) { return entry.first == key; });
        if (tell(*found->second, *live.model, so_far, last) && !last) return true;
        live.answers.erase(found);
        ++done;
        return false;
    };
    try {
        live.session->step(told);
    } catch (const std::exception& error) {
        // A pass that fails leaves its rows without a next token: they end, and later ones begin in fresh slots.
        log_error("{}: {}", live.model->fingerprint(), error.what());
        done += static_cast<std::int64_t>(live.answers.size());
        for (const auto& [key, answer] : live.answers) answer->failed({500, fmt::format("the model failed: {}", error.what())});
        live.answers.clear();
        live.session.reset();
        make_slots(live);
    }
    const std::lock_guard lock(mutex_);
    running_ -= done;
}

// Versions that take no more requests, and that no request holds: a new one cannot come to hold them.
void Scheduler::let_go() {
    std::vector<Live> gone;  // freed without the lock
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < live_.size();) {
        if (live_[i].model != model_ && live_[i].model.use_count() == 1 && (!live_[i].session || live_[i].session->empty())) {
            log_info("{} is let go", live_[i].model->fingerprint());
            gone.push_back(std::move(live_[i]));
            live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(i));
        } else ++i;
    }
    versions_ = static_cast<std::int64_t>(live_.size() + incoming_.size());
}

}  // namespace temper
