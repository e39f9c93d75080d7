// metrics.jsonl: one object a logged step, appended and never edited; a resumed run cuts it back to the length its checkpoint stores.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class MetricsJournal {
  public:
    explicit MetricsJournal(const std::filesystem::path& path);  // created when absent; io_error
    ~MetricsJournal();
    MetricsJournal(const MetricsJournal&) = delete;
    MetricsJournal& operator=(const MetricsJournal&) = delete;

    void append(const Json& row);                    // one line, handed to the system before return; NaN and infinities become null
    std::int64_t length() const { return length_; }  // bytes, all of them whole lines
    void sync();                                     // to the disk; call before a checkpoint stores length()
    // Drops what was logged after the checkpoint. bad_data when the file is shorter than that.
    void cut_back(std::int64_t length);

    // Every whole line; a torn last line is left out. bad_data names path:line.
    static std::vector<Json> read_all(const std::filesystem::path& path);

  private:
    std::filesystem::path path_;
    int file_ = -1;
    std::int64_t length_ = 0;
};

}  // namespace temper
