#include "runs/record_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "runs/metrics_journal.h"

namespace fs = std::filesystem;

namespace temper {

RecordLock::RecordLock(const fs::path& run) : directory_(::open(run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (directory_ >= 0 && flock(directory_, LOCK_EX) != 0 && errno == EINTR) {}
}

RecordLock::~RecordLock() {
    if (directory_ >= 0) ::close(directory_);
}

void append_logged(const fs::path& run, const Json& entry) {
    MetricsJournal journal(run / "logged.jsonl");
    journal.append(entry);
    journal.sync();
}

void fold_logged(Json& fields, const fs::path& run) {
    const fs::path path = run / "logged.jsonl";
    if (!fs::exists(path)) return;
    for (const Json& entry : MetricsJournal::read_all(path)) {
        for (const char* section : {"metrics", "params", "tags"})
            if (entry.contains(section))
                for (const auto& [name, value] : entry[section].items()) fields[section][name] = value;
        if (!entry.contains("artifacts")) continue;
        for (const Json& artifact : entry["artifacts"]) {
            Json* same = nullptr;
            for (Json& known : fields["artifacts"])
                if (known.value("path", "") == artifact.value("path", "")) same = &known;
            if (same != nullptr) *same = artifact;
            else fields["artifacts"].push_back(artifact);
        }
    }
}

}  // namespace temper
