// One run's directory and the right to write into it.
//
//   <output_dir>/<utc yyyymmddThhmmssZ>-<run_name>-<id8>/
//     run.json config.yaml metrics.jsonl checkpoints/ adapter/ eval/ report.html
//     attempts/NNNN/{owner.json, heartbeat, released}     one a process that owned the run; the highest number is the owner
//     .stage-NNNN/                                        where attempt NNNN builds what it commits by rename
//
// Fencing: a new owner first renames the stale owner's .stage-NNNN. A stale owner that wakes up finds its staging folder gone, so that
// neither a commit under way nor a later one can land: there is no check followed by an act. No decision compares wall clocks of hosts.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace temper {

class RunDirectory {
  public:
    // Makes the directory with a first run.json (status running, name, config hash), committed as one. usage: a run_name that is no
    // plain name; io_error: the place cannot be written.
    static RunDirectory create(const std::filesystem::path& output_dir, const std::string& run_name, const std::string& config_hash);
    // The newest run with this name and configuration, finished or not; none when there is none. Unreadable run.json files are passed over;
    // io_error where output_dir cannot be listed.
    static std::optional<RunDirectory> find_resumable(const std::filesystem::path& output_dir, const std::string& run_name,
                                                      const std::string& config_hash);
    static RunDirectory open(const std::filesystem::path& path);  // missing_input when there is no run.json

    RunDirectory(RunDirectory&&) noexcept;
    RunDirectory& operator=(RunDirectory&&) noexcept;
    ~RunDirectory();  // stops the heartbeat and releases, if owned

    std::string id() const;  // the directory's name
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path record() const { return path_ / "run.json"; }
    std::filesystem::path config() const { return path_ / "config.yaml"; }
    std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
    std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
    std::filesystem::path adapter() const { return path_ / "adapter"; }
    std::filesystem::path eval() const { return path_ / "eval"; }
    std::filesystem::path report() const { return path_ / "report.html"; }

    // Rank 0 only. Becomes the owner, or throws run_locked naming the live owner, having waited this long for an owner that is ending.
    // An owner on this machine lives while its process does. One elsewhere lives while its heartbeat changes; it is dead once that stood
    // still for `heartbeat_seconds` of our watch. The losers of a race leave the directory as it was.
    void take_ownership(double wait_seconds = 10.0, double heartbeat_seconds = 30.0);
    bool owned() const { return ownership_ != nullptr; }
    int attempt() const;                    // number of our attempt, from 1
    std::filesystem::path staging() const;  // .stage-NNNN, for StagedDirectory and CheckpointStore
    void check_owned() const;               // run_locked when another attempt has taken over
    void release();

  private:
    struct Ownership;
    explicit RunDirectory(std::filesystem::path path);
    std::filesystem::path path_;
    std::unique_ptr<Ownership> ownership_;
};

}  // namespace temper
