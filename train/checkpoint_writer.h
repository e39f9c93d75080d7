// Writes checkpoints beside the steps: a save stops the steps for as long as the state takes to be copied, and a thread encodes, writes, syncs and
// commits it meanwhile, by the store's own protocol.
#pragma once
#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "train/checkpoint.h"
#include "train/trainer.h"

namespace temper {

// One checkpoint at a time. An error of the thread is thrown by the next call of check, wait or save, once.
class CheckpointWriter {
  public:
    explicit CheckpointWriter(CheckpointStore& store) : store_(store) {}
    ~CheckpointWriter();  // waits; an error is logged
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;

    // Waits for the one before. `state` is called by the thread; then prunes as CheckpointStore::prune.
    void save(std::function<TrainState()> state, std::int64_t keep_last, std::vector<std::int64_t> protected_steps);
    void check();  // throws where the last save has failed
    void wait();   // until nothing is being written

  private:
    CheckpointStore& store_;
    std::future<void> writing_;
};

// A trainer's state as it was, brought from a device through pinned memory, which is taken once.
class StateCopy {
  public:
    explicit StateCopy(const Trainer& trainer);
    // What gives the state as it is now. Of a device the copy holds until the next call.
    std::function<TrainState()> take(Json cursor);

  private:
    const Trainer& trainer_;
    Arena pinned_;
    View copy_;  // (3, P) f32; empty where the trainer's vectors are the host's
};

}  // namespace temper
