// Checkpoints of a run: <dir>/step-00000100/{state.h5, manifest.json}. A checkpoint is built in a staging folder, synced, re-read and
// compared by hash, and committed by one rename; after that it is never edited. The same state gives the same bytes.
// The loader takes the newest whose manifest and hashes hold and falls back to the one before, saying why.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct TrainState {
    std::int64_t step = 0;            // finished optimizer steps
    std::vector<float> parameters;    // adapter, float32 master weights laid end to end
    std::vector<float> first_moment;  // AdamW m and v, as long as parameters
    std::vector<float> second_moment;
    std::string algorithms;        // a CUDA run's table of the algorithms that its matrix products follow, as bytes; else empty
    Json cursor = Json::object();  // epoch, row, rng, metrics length, best metric, config and data hashes: the loop's own
};

class CheckpointStore {
  public:
    static constexpr int format_version = 1;
    using Log = std::function<void(const std::string&)>;

    // `staging`: the owner's RunDirectory::staging(), on the same file system, which must exist; empty: a name beside the target.
    explicit CheckpointStore(std::filesystem::path dir, std::filesystem::path staging = {}, Log log = {});

    // io_error: nothing was committed and earlier checkpoints are as they were. run_locked: another job has taken the run over.
    // A verified checkpoint of this step that holds the same bytes is left as it is; one that does not verify is replaced.
    std::filesystem::path save(TrainState state);

    // Empty when there is no checkpoint at all; no_checkpoint (78) when there are some and none can be read. Each one passed over is logged.
    std::optional<TrainState> load_newest();
    TrainState load(std::int64_t step);  // no_checkpoint names what is wrong with it

    // For a run that goes on from this step: checkpoints of later ones become aside-step-..., which no loader looks at, since they belong to a
    // future that will not be, or could not be read. Renamed back they count again. Call before anything of the run is cut back.
    void set_aside_after(std::int64_t step);
    // This step is never pruned.
    void keep(std::int64_t step) { loaded_.push_back(step); }
    // Keeps the newest `keep_last` checkpoints that verify, those of `protected_steps` and the one loaded from; removes the rest, and those
    // set aside of steps that a newer one has passed.
    // Does nothing with keep_last <= 0. Call after save(). A failure to delete is logged, never thrown.
    void prune(std::int64_t keep_last, const std::vector<std::int64_t>& protected_steps = {});

    std::vector<std::int64_t> steps() const;  // committed, verified or not, rising; io_error when the directory is there and cannot be listed
    std::filesystem::path path_of(std::int64_t step) const;

  private:
    void log(const std::string& text) const;
    void discard(const std::filesystem::path& step_dir);
    std::filesystem::path dir_, staging_;
    Log log_;
    std::vector<std::int64_t> loaded_;  // never pruned
};

// One checkpoint directory, as `--resume PATH` names it. no_checkpoint names the file and what is wrong.
TrainState load_checkpoint(const std::filesystem::path& step_dir);

}  // namespace temper
