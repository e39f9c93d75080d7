#include "serve/embedding_service.h"

#include <algorithm>
#include <cmath>

#include "io/log.h"
#include "io/machine.h"
#include "model/algorithms.h"
#include "serve/api_error.h"

namespace temper {
namespace {

EmbeddingModel::Options options_of(const ServeConfig& config) {
    EmbeddingModel::Options options;
    options.dtype = config.embedding_dtype == "bfloat16" ? DType::bf16 : DType::f32;
    return options;
}

// Of what a pass takes together: enough for every thread, and soon done.
std::int64_t tokens_of_share(const Stream& stream, std::int64_t batch_tokens) {
    constexpr std::int64_t of_a_thread = 1024;
    return stream.device() == Device::cpu ? stream.threads() * of_a_thread : batch_tokens;
}

// An answer that cannot be given does not end the others.
template <class Give> void give(const Give& give_it) {
    try {
        give_it();
    } catch (const std::exception& error) {
        log_error("an answer with vectors could not be given: {}", error.what());
    }
}

}  // namespace

EmbeddingService::EmbeddingService(const ServeConfig& config)
    : truncate_(config.embedding_truncate),
      most_jobs_(config.limits.queue + config.slots),
      stream_(open_stream(config.device, 0, resolve_threads(config.threads), parse_isa(config.isa))),
      model_(stream_, *config.embedding_model, options_of(config)),
      passes_(model_, stream_, 0),
      prompt_(model_.prompt("")),
      skipped_(model_.skipped_tokens(prompt_)),
      share_tokens_(tokens_of_share(stream_, passes_.batch_tokens())) {
    settle_algorithms(stream_, [&] { return chosen_algorithms_of(model_, stream_); });
    thread_ = std::thread([this] { work(); });
}

EmbeddingService::~EmbeddingService() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
    jobs_.splice(jobs_.end(), queue_);
    for (const Job& job : jobs_) give([&] { job.answer->failed(overloaded("the server ends")); });
}

TokenRows EmbeddingService::encode(const std::vector<std::string>& texts) const {
    TokenRows rows;
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (model_.texts().add(prompt_ + texts[i], rows, skipped_) && !truncate_)
            refuse("input", "input[{}] is longer than the {} tokens that the model takes", i, model_.texts().limit());
    return rows;
}

void EmbeddingService::submit(TokenRows rows, std::shared_ptr<EmbeddingAnswer> answer) {
    {
        const std::lock_guard lock(mutex_);
        const std::int64_t jobs = under_way_ + static_cast<std::int64_t>(queue_.size());
        if (jobs >= most_jobs_) throw overloaded(fmt::format("{} requests for vectors are under way: ask again later", jobs));
        queue_.push_back({std::move(rows), std::move(answer), {}, 0});
    }
    changed_.notify_all();
}

std::vector<float> EmbeddingService::shortened(const float* vector, std::int64_t count) const {
    std::vector<float> result(vector, vector + count);
    if (!model_.normalized() || count == dimensions()) return result;
    double squares = 0.0;
    for (const float value : result) squares += static_cast<double>(value) * static_cast<double>(value);
    const double length = std::max(std::sqrt(squares), 1e-12);
    for (float& value : result) value = static_cast<float>(static_cast<double>(value) / length);
    return result;
}

void EmbeddingService::work() {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            under_way_ = static_cast<std::int64_t>(jobs_.size());
            changed_.wait(lock, [&] { return ending_ || !queue_.empty() || !jobs_.empty(); });
            if (ending_) return;
            jobs_.splice(jobs_.end(), queue_);
            under_way_ = static_cast<std::int64_t>(jobs_.size());
        }
        drop_unwanted();
        if (!jobs_.empty()) run_share();
    }
}

void EmbeddingService::drop_unwanted() {
    std::erase_if(jobs_, [](const Job& job) {
        bool wanted = false;
        give([&] { wanted = job.answer->wanted(); });
        return !wanted;
    });
}

// A row of each request in turn, until no further one has room; there is always one.
void EmbeddingService::fill(Share& share) {
    std::int64_t room = share_tokens_;
    for (std::size_t before = SIZE_MAX; before != share.owners.size();) {
        before = share.owners.size();
        for (Job& job : jobs_) {
            if (job.taken == job.rows.size()) continue;
            const std::int64_t length = job.rows.length(job.taken);
            if (length > room && !share.owners.empty()) continue;
            share.owners.emplace_back(&job, job.taken);
            share.rows.append(job.rows, job.taken++, 1);
            room -= length;
        }
    }
}

void EmbeddingService::run_share() {
    Share share;
    try {
        fill(share);
        std::vector<float> vectors(share.rows.size() * static_cast<std::size_t>(dimensions()));
        passes_.run_together(share.rows, vectors.data());
        give_vectors(share, vectors);
    } catch (const std::exception& error) {
        log_error("vectors could not be made: {}", error.what());
        fail(share, {500, fmt::format("the model failed: {}", error.what())});
    }
}

// Those that had rows in it; all, where there was no memory for even one.
void EmbeddingService::fail(const Share& share, const ApiError& failure) {
    std::erase_if(jobs_, [&](const Job& job) {
        const bool has_rows = std::any_of(share.owners.begin(), share.owners.end(), [&](const auto& owner) { return owner.first == &job; });
        if (!has_rows && !share.owners.empty()) return false;
        give([&] { job.answer->failed(failure); });
        return true;
    });
}

void EmbeddingService::give_vectors(const Share& share, const std::vector<float>& vectors) {
    const auto width = static_cast<std::size_t>(dimensions());
    for (std::size_t i = 0; i < share.owners.size(); ++i) {
        const auto& [job, row] = share.owners[i];
        job->vectors.resize(job->rows.size() * width);
        std::copy_n(vectors.data() + i * width, width, job->vectors.data() + row * width);
    }
    std::erase_if(jobs_, [](const Job& job) {
        if (job.taken < job.rows.size()) return false;
        give([&] { job.answer->done(job.vectors.data()); });
        return true;
    });
}

}  // namespace temper
