// Things that threads use in turn, one thread a thing at a time: the memory of passes.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace temper {

template <class Thing> class Turns {
  public:
    void add(std::unique_ptr<Thing> thing) { free_.push_back(std::move(thing)); }

    // Waits for a thing that nobody uses; it is given back whatever `use` throws.
    template <class Use> void with(const Use& use) {
        std::unique_lock lock(mutex_);
        given_back_.wait(lock, [&] { return !free_.empty(); });
        std::unique_ptr<Thing> thing = std::move(free_.back());
        free_.pop_back();
        lock.unlock();
        struct GiveBack {
            Turns& turns;
            std::unique_ptr<Thing>& thing;
            ~GiveBack() {
                {
                    const std::lock_guard guard(turns.mutex_);
                    turns.free_.push_back(std::move(thing));
                }
                turns.given_back_.notify_one();
            }
        } give_back{*this, thing};
        use(*thing);
    }

  private:
    std::mutex mutex_;
    std::condition_variable given_back_;
    std::vector<std::unique_ptr<Thing>> free_;
};

}  // namespace temper
