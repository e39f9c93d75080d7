#include "serve/embedding_service.h"

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

void append(TokenRows& rows, const TokenRows& more) {
    const auto before = static_cast<std::int64_t>(rows.ids.size());
    rows.ids.insert(rows.ids.end(), more.ids.begin(), more.ids.end());
    rows.skipped.insert(rows.skipped.end(), more.skipped.begin(), more.skipped.end());
    for (const std::int64_t end : more.ends) rows.ends.push_back(before + end);
}

}  // namespace

EmbeddingService::EmbeddingService(const ServeConfig& config)
    : truncate_(config.embedding_truncate),
      queue_limit_(config.limits.queue + 1),
      stream_(open_stream(config.device, 0, resolve_threads(config.threads), parse_isa(config.isa))),
      model_(stream_, *config.embedding_model, options_of(config)),
      passes_(model_, stream_, 0),
      prompt_(model_.prompt("")),
      skipped_(model_.skipped_tokens(prompt_)) {
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
    for (const Job& job : queue_) job.done(nullptr, "the server ends");
}

TokenRows EmbeddingService::encode(const std::vector<std::string>& texts) const {
    TokenRows rows;
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (model_.texts().add(prompt_ + texts[i], rows, skipped_) && !truncate_)
            refuse("input", "input[{}] is longer than the {} tokens that the model takes", i, model_.texts().limit());
    return rows;
}

void EmbeddingService::submit(TokenRows rows, Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (static_cast<std::int64_t>(queue_.size()) >= queue_limit_)
            throw overloaded(fmt::format("{} requests wait for vectors: ask again later", queue_.size()));
        queue_.push_back({std::move(rows), std::move(done)});
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
        std::deque<Job> jobs;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
            if (ending_) return;
            jobs.swap(queue_);
        }
        run(jobs);
    }
}

void EmbeddingService::run(std::deque<Job>& jobs) {
    std::vector<float> vectors;
    std::string failure;
    try {
        TokenRows rows;
        for (const Job& job : jobs) append(rows, job.rows);
        vectors.resize(rows.size() * static_cast<std::size_t>(dimensions()));
        passes_.run_together(rows, vectors.data());
    } catch (const std::exception& error) {
        failure = error.what();
        vectors.clear();
    }
    std::size_t at = 0;
    for (const Job& job : jobs) {
        const float* const own = failure.empty() ? vectors.data() + at : nullptr;
        at += job.rows.size() * static_cast<std::size_t>(dimensions());
        try {
            job.done(own, failure);
        } catch (const std::exception& error) {
            log_error("an answer with vectors could not be given: {}", error.what());
        }
    }
}

}  // namespace temper
