// What others say of a run while it may have an owner: `temper runs log` appends to logged.jsonl in the run's directory, and whoever saves run.json
// folds that file into it. So neither writer loses what the other one knows.
#pragma once
#include <filesystem>

#include "io/jsonl.h"

namespace temper {

// Held while run.json is read, changed and replaced. A file system without locks is worked on without one.
class RecordLock {
  public:
    explicit RecordLock(const std::filesystem::path& run);
    ~RecordLock();
    RecordLock(const RecordLock&) = delete;
    RecordLock& operator=(const RecordLock&) = delete;

  private:
    int directory_ = -1;
};

// {"metrics": {}, "params": {}, "tags": {}, "artifacts": [{"role", "path", "sha256", "bytes"}]}, all of them optional. Durable on return.
void append_logged(const std::filesystem::path& run, const Json& entry);
void fold_logged(Json& fields, const std::filesystem::path& run);  // later entries win

}  // namespace temper
