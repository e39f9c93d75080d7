// An index of the records under an output directory: OUTPUT_DIR/.index.sqlite. The records are the truth. Opening it compares every run.json with
// what the index has read (inode, size, times) and reads those that differ, so that it is never behind; deleted, damaged or of another version it is
// made anew; where it cannot be written it is used while it is right, else made in memory, as it is while another process writes it for long.
//
//   runs(id, dir, inode, size, mtime, ctime, running, status, created_at, summary)      summary: members of a JSON object, without braces
//   names(id, name)                                                                      "metrics.loss"
//   fields(run, name, value)                                                             integer, real or text
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runs/run_query.h"
#include "runs/sqlite.h"

namespace temper {

struct IndexedRun {
    std::string dir;           // name of the run's directory
    std::string status;        // as ListedRun's
    std::string parent;        // parent_run_id, or empty
    std::string summary;       // "run_name":...,"kind":...,"parent_run_id":...,"created_at":...,"config_hash":...,"tags":{...},"metrics":{...}
    std::vector<Json> values;  // of the fields asked for; null where the run has none
};

class RunIndex {
  public:
    using Log = std::function<void(const std::string&)>;  // of records that cannot be read
    // missing_input without the directory. Where another process holds the file for so long, the index is made in memory.
    static RunIndex open(const std::filesystem::path& output_dir, const Log& log = {}, double busy_seconds = 10);
    static void remove(const std::filesystem::path& output_dir);  // the next open() makes it anew

    // Oldest first; all runs without a query. `newest`: no more than so many of the newest.
    std::vector<IndexedRun> select(const std::optional<RunQuery>& query, const std::vector<std::string>& fields, std::int64_t newest = -1) const;
    // Names of fields that any run has.
    std::vector<std::string> field_names() const;
    bool in_memory() const { return in_memory_; }
    std::int64_t records_read() const { return records_read_; }  // by open()

  private:
    RunIndex(Database database, bool in_memory) : database_(std::move(database)), in_memory_(in_memory) {
        // KiB: what is asked of thousands of runs reads no page twice, and sorts in memory.
        database_.execute("PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY");
    }
    void make_tables();
    void refresh(const std::filesystem::path& output_dir, const Log& log);
    bool up_to_date(const std::filesystem::path& output_dir) const;

    Database database_;
    bool in_memory_;
    std::int64_t records_read_ = 0;
};

}  // namespace temper
