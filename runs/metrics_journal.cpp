#include "runs/metrics_journal.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

[[noreturn]] void fail(const fs::path& path, const char* operation) {
    throw_error(ExitCode::io_error, "{}: {}: {}", path.string(), operation, std::strerror(errno));
}

}  // namespace

MetricsJournal::MetricsJournal(const fs::path& path) : path_(path) {
    file_ = system_calls().open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0) fail(path_, "open");
    try {
        const std::string text = read_file(path_);
        const std::size_t end = text.rfind('\n');  // a writer that was killed may have left half a line
        length_ = end == std::string::npos ? 0 : static_cast<std::int64_t>(end + 1);
        if (length_ != static_cast<std::int64_t>(text.size()) && ftruncate(file_, length_) != 0) fail(path_, "truncate");
    } catch (...) {
        ::close(file_);
        throw;
    }
}

MetricsJournal::~MetricsJournal() { ::close(file_); }

void MetricsJournal::append(const Json& row) {
    const std::string line = json_text(row) + "\n";
    for (std::string_view rest = line; !rest.empty();) {
        const ssize_t count = system_calls().write(file_, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            const int error = count < 0 ? errno : ENOSPC;
            // Back to whole lines; should that fail as well, the next opening does it.
            [[maybe_unused]] const int cut = ftruncate(file_, length_);
            errno = error;
            fail(path_, "write");
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    length_ += static_cast<std::int64_t>(line.size());
}

void MetricsJournal::sync() {
    if (system_calls().fsync(file_) != 0) fail(path_, "fsync");
}

void MetricsJournal::cut_back(std::int64_t length) {
    char last = '\n';
    if (length < 0 || length > length_ || (length > 0 && pread(file_, &last, 1, length - 1) != 1) || last != '\n') {
        throw_error(ExitCode::bad_data,
                    "{}: {} bytes of whole lines, but the checkpoint was written at {}; the file was edited or replaced: restore it, or name an "
                    "earlier checkpoint with --resume RUN/checkpoints/step-...",
                    path_.string(), length_, length);
    }
    if (ftruncate(file_, length) != 0) fail(path_, "truncate");
    length_ = length;
}

std::vector<Json> MetricsJournal::read_all(const fs::path& path) {
    const std::string text = read_file(path);
    std::vector<Json> rows;
    std::size_t begin = 0;
    for (int line = 1; begin < text.size(); ++line) {
        const std::size_t end = text.find('\n', begin);
        if (end == std::string::npos) break;
        if (end > begin) rows.push_back(parse_json(std::string_view(text).substr(begin, end - begin), fmt::format("{}:{}", path.string(), line)));
        begin = end + 1;
    }
    return rows;
}

}  // namespace temper
