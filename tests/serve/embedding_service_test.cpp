// Requests for vectors beside each other: each gets its own, a short one does not wait for all of a long one, and what nobody waits for ends.
#include "serve/embedding_service.h"

#include <chrono>
#include <condition_variable>

#include <gtest/gtest.h>

namespace temper {
namespace {

using namespace std::chrono_literals;

class Asker final : public EmbeddingAnswer {
  public:
    Asker(std::size_t numbers, std::chrono::milliseconds pause) : numbers_(numbers), pause_(pause) {}
    bool wanted() override {
        ++looks_;
        std::this_thread::sleep_for(pause_);
        return wanted_;
    }
    void done(const float* vectors) override {
        const std::lock_guard lock(mutex_);
        vectors_.assign(vectors, vectors + numbers_);
        end("done");
    }
    void failed(const ApiError& error) override {
        const std::lock_guard lock(mutex_);
        end(std::to_string(error.status()));
    }
    void want(bool wanted) { wanted_ = wanted; }
    int looks() const { return looks_; }
    // "done", a status, or empty: not yet.
    std::string outcome(std::chrono::milliseconds patience = 0ms) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return !outcome_.empty(); });
        return outcome_;
    }
    std::vector<float> vectors() {
        const std::lock_guard lock(mutex_);
        return vectors_;
    }

  private:
    void end(const std::string& outcome) {
        outcome_ = outcome;
        changed_.notify_all();
    }
    std::size_t numbers_;
    std::chrono::milliseconds pause_;
    std::atomic<bool> wanted_{true};
    std::atomic<int> looks_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string outcome_;
    std::vector<float> vectors_;
};

class EmbeddingServiceTest : public testing::Test {
  protected:
    static ServeConfig config() {
        ServeConfig config;
        config.embedding_model = TEMPER_SOURCE_DIR "/tests/goldens/encoders/bert";
        config.threads = 1;
        config.embedding_truncate = true;
        config.slots = 1;
        config.limits.queue = 3;
        return config;
    }
    std::shared_ptr<Asker> ask(TokenRows rows, std::chrono::milliseconds pause) {
        const auto asker = std::make_shared<Asker>(rows.size() * static_cast<std::size_t>(service_->dimensions()), pause);
        service_->submit(std::move(rows), asker);
        return asker;
    }
    std::shared_ptr<Asker> ask(const std::vector<std::string>& texts) { return ask(service_->encode(texts), 0ms); }
    // Takes hundreds of passes, with a pause before each.
    std::shared_ptr<Asker> ask_long() {
        const TokenRows one = service_->encode({"a cat sat on the mat"});
        TokenRows rows;
        for (std::int64_t i = 1; i <= 50000; ++i) {
            rows.ids.insert(rows.ids.end(), one.ids.begin(), one.ids.end());
            rows.ends.push_back(i * one.length(0));
        }
        return ask(std::move(rows), 5ms);
    }

    std::unique_ptr<EmbeddingService> service_ = std::make_unique<EmbeddingService>(config());
};

TEST_F(EmbeddingServiceTest, EachGetsItsOwnVectors) {
    const auto alone = ask({"a cat sat"});
    ASSERT_EQ(alone->outcome(60s), "done");
    const auto first = ask({"the dog", "a cat sat", "one two three"}), second = ask({"a cat sat"});
    ASSERT_EQ(first->outcome(60s), "done");
    ASSERT_EQ(second->outcome(60s), "done");
    const std::vector<float> all = first->vectors(), wanted = alone->vectors();
    EXPECT_EQ(second->vectors(), wanted);
    EXPECT_EQ(std::vector<float>(all.begin() + service_->dimensions(), all.begin() + 2 * service_->dimensions()), wanted);
}

TEST_F(EmbeddingServiceTest, AShortRequestDoesNotWaitForALongOne) {
    const auto long_one = ask_long();
    const auto short_one = ask({"a cat sat"});
    EXPECT_EQ(short_one->outcome(60s), "done");
    EXPECT_EQ(long_one->outcome(), "");
    long_one->want(false);
}

TEST_F(EmbeddingServiceTest, WhatNobodyWantsEnds) {
    const auto long_one = ask_long();
    for (int i = 0; i < 2000 && long_one->looks() < 3; ++i) std::this_thread::sleep_for(5ms);
    EXPECT_GE(long_one->looks(), 3);
    long_one->want(false);
    const auto next = ask({"a cat sat"});
    EXPECT_EQ(next->outcome(60s), "done");
    const int looks = long_one->looks();
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(long_one->looks(), looks);
    EXPECT_EQ(long_one->outcome(), "");
}

TEST_F(EmbeddingServiceTest, TheEndDoesNotWaitForWhatIsLeft) {
    const auto under_way = ask_long(), waiting = ask_long();
    for (int i = 0; i < 2000 && under_way->looks() < 2; ++i) std::this_thread::sleep_for(5ms);
    const auto begun = std::chrono::steady_clock::now();
    service_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
    EXPECT_EQ(under_way->outcome(), "503");
    EXPECT_EQ(waiting->outcome(), "503");
}

TEST_F(EmbeddingServiceTest, TooManyAtOnceAreRefused) {
    std::vector<std::shared_ptr<Asker>> askers;
    for (int i = 0; i < 4; ++i) askers.push_back(ask_long());
    EXPECT_THROW(ask({"a cat sat"}), ApiError);
    for (const auto& asker : askers) asker->want(false);
}

}  // namespace
}  // namespace temper
