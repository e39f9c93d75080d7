#include "io/staged_output.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>

#include "io/durable.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace temper {

StagedOutput::StagedOutput(std::filesystem::path target) : target_(std::move(target)), path_(staging_path(target_)) {}

StagedOutput::~StagedOutput() {
    std::error_code ignored;
    if (!committed_) std::filesystem::remove(path_, ignored);
}

void StagedOutput::commit() {
    const int fd = system_calls().open(path_.c_str(), O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) throw_error(ExitCode::io_error, "{}: open: {}", target_.string(), std::strerror(errno));
    const int result = system_calls().fsync(fd), error = errno;
    system_calls().close(fd);
    if (result != 0) throw_error(ExitCode::io_error, "{}: fsync: {}", target_.string(), std::strerror(error));
    rename_durable(path_, target_);
    committed_ = true;
}

}  // namespace temper
